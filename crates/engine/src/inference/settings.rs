//! Which runtime is wanted, and where its library is looked for.

use std::path::PathBuf;

/// Which runtime is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
pub enum RuntimeChoice {
    /// The embedded runtime, which is the faster one on a processor; ONNX Runtime when its library is
    /// named, or when an execution provider is chosen and the library is found and loads.
    #[default]
    Auto,
    /// The runtime inside this build, which needs no library.
    Embedded,
    /// ONNX Runtime or nothing.
    OnnxRuntime,
}

impl RuntimeChoice {
    /// Every choice with its name in the settings.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Auto, "auto"),
        (Self::Embedded, "embedded"),
        (Self::OnnxRuntime, "onnxruntime"),
    ];
}

/// Hardware that ONNX Runtime may use besides the processor, when its library was built for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum ExecutionProvider {
    /// NVIDIA graphics cards by CUDA.
    Cuda,
    /// NVIDIA graphics cards by TensorRT.
    TensorRt,
    /// Intel processors and graphics by OpenVINO.
    OpenVino,
    /// Apple's processors by Core ML.
    CoreMl,
}

impl ExecutionProvider {
    /// Every provider with its name in the settings.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Cuda, "cuda"),
        (Self::TensorRt, "tensorrt"),
        (Self::OpenVino, "openvino"),
        (Self::CoreMl, "coreml"),
    ];
}

/// How the runtime is chosen. The default is the embedded one: a library of the engine's users
/// loads nothing that it was not told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Which one.
    pub choice: RuntimeChoice,
    /// The shared library of ONNX Runtime. When it is named, `Auto` means it alone: a library that
    /// does not load is then an error. `None`: looked for in [`LIBRARY_FOLDERS`] by
    /// `OnnxRuntime`, and by `Auto` with an execution provider.
    pub library: Option<PathBuf>,
    /// SHA-256 of the only library that may be loaded, hexadecimal; `None`: any that only root and the
    /// user of the process can change.
    pub sha256: Option<String>,
    /// What ONNX Runtime runs the nets on; `None`: the processor.
    pub execution_provider: Option<ExecutionProvider>,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            choice: RuntimeChoice::Embedded,
            library: None,
            sha256: None,
            execution_provider: None,
        }
    }
}

/// Where `Auto` and `OnnxRuntime` look for the library: folders that only an administrator writes
/// to.
pub const LIBRARY_FOLDERS: [&str; 7] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
];
