//! Which inference runtime the nets run on: the choice ([`RuntimeSettings`]) and what came of it
//! ([`Runtime`]). The runtimes themselves stand in `network/`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

use crate::{error::EngineError, network::OnnxRuntime};

/// Which runtime is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
pub enum RuntimeChoice {
    /// ONNX Runtime when its library is found and loads, else the embedded runtime.
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
    /// does not load is then an error. `None`: looked for in [`LIBRARY_FOLDERS`].
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

/// The runtime in force.
#[derive(Clone)]
pub struct Runtime {
    backend: Backend,
    note: Option<String>,
}

#[derive(Clone)]
pub(crate) enum Backend {
    Embedded,
    OnnxRuntime(OnnxRuntime),
}

/// A [`Runtime`] for documents and answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeInfo {
    /// `"embedded"` or `"onnxruntime"`.
    pub name: &'static str,
    /// Version of the runtime; empty where its library does not tell.
    pub version: String,
}

/// The shared library behind a [`Runtime`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeLibrary {
    /// Where it was loaded from, without links.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
}

/// A path that is not UTF-8 as far as it is.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for RuntimeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Runtime {
    /// The runtime inside this build.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            backend: Backend::Embedded,
            note: None,
        }
    }

    /// Finds and loads what the settings ask for. A process loads one library of ONNX Runtime at
    /// most; every later call gets the same one.
    ///
    /// # Errors
    /// [`EngineError::Runtime`] when the library was named or ONNX Runtime demanded, and it is not
    /// to be had, or could be changed by others than root and the user of the process.
    pub fn load(settings: &RuntimeSettings) -> Result<Self, EngineError> {
        let provider = settings.execution_provider;
        let pinned = settings.sha256.as_deref();
        let open = |path: &Path| -> Result<Self, EngineError> {
            Ok(Self {
                backend: Backend::OnnxRuntime(OnnxRuntime::load(path, pinned, provider)?),
                note: None,
            })
        };
        match (settings.choice, &settings.library) {
            (RuntimeChoice::Embedded, _) => Ok(Self::embedded()),
            (_, Some(named)) => open(named),
            (RuntimeChoice::OnnxRuntime, None) => match find_library() {
                Some(found) => open(&found),
                None => Err(EngineError::Runtime {
                    library: PathBuf::from(library_name()),
                    reason: format!("it is in none of {}", LIBRARY_FOLDERS.join(", ")),
                }),
            },
            (RuntimeChoice::Auto, None) => Ok(match find_library().map(|found| open(&found)) {
                Some(Ok(runtime)) => runtime,
                Some(Err(error)) => Self {
                    backend: Backend::Embedded,
                    note: Some(error.to_string()),
                },
                None => Self::embedded(),
            }),
        }
    }

    /// Which one it is.
    #[must_use]
    pub fn info(&self) -> RuntimeInfo {
        match &self.backend {
            Backend::Embedded => RuntimeInfo {
                name: "embedded",
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            Backend::OnnxRuntime(library) => RuntimeInfo {
                name: "onnxruntime",
                version: library.version().to_owned(),
            },
        }
    }

    /// The library it was loaded from, when it is not the embedded one.
    #[must_use]
    pub fn library(&self) -> Option<&RuntimeLibrary> {
        match &self.backend {
            Backend::Embedded => None,
            Backend::OnnxRuntime(library) => Some(library.library()),
        }
    }

    /// Why `Auto` passed over a library that it found.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("info", &self.info())
            .field("library", &self.library())
            .field("note", &self.note)
            .finish()
    }
}

/// How the system names the library.
fn library_name() -> &'static str {
    if cfg!(target_os = "windows") {
        "onnxruntime.dll"
    } else if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    }
}

/// The library in one of [`LIBRARY_FOLDERS`]: under its plain name, or with a version after it.
fn find_library() -> Option<PathBuf> {
    LIBRARY_FOLDERS
        .iter()
        .find_map(|folder| library_in(Path::new(folder)))
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(library_name());
    if plain.is_file() {
        return Some(plain);
    }
    let versioned = format!("{}.", library_name());
    let mut candidates: Vec<PathBuf> = folder
        .read_dir()
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(&versioned))
                && path.is_file()
        })
        .collect();
    candidates.sort();
    candidates.pop()
}
