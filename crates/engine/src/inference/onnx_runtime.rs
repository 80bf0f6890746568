//! ONNX Runtime by its shared library, which is loaded when the program runs and never linked.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    session::{Session, builder::GraphOptimizationLevel},
    value::{Tensor, ValueType},
};

use super::{
    info::RuntimeLibrary,
    library,
    models::Model,
    network::{InputSize, Network},
    settings::ExecutionProvider,
};
use crate::error::EngineError;

/// The library of this process: it holds one at most, for as long as it lives.
static LOADED: OnceLock<Library> = OnceLock::new();

#[derive(Clone)]
struct Library {
    environment: Environment,
    file: RuntimeLibrary,
    version: String,
}

/// The loaded library, and what its nets run on.
#[derive(Clone)]
pub(crate) struct OnnxRuntime {
    library: Library,
    provider: Option<ExecutionProvider>,
}

impl OnnxRuntime {
    /// Loads the library, unless this process has one already.
    pub(crate) fn load(
        path: &Path,
        pinned: Option<&str>,
        provider: Option<ExecutionProvider>,
    ) -> Result<Self, EngineError> {
        let unusable = |reason| EngineError::Runtime {
            library: path.to_owned(),
            reason,
        };
        // So that two threads do not both make an environment, of which a process has one.
        static LOADING: Mutex<()> = Mutex::new(());
        let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let library = match LOADED.get() {
            Some(loaded) => {
                let sha256 = &loaded.file.sha256;
                match pinned {
                    Some(pinned) if !pinned.eq_ignore_ascii_case(sha256) => {
                        return Err(unusable(library::not_pinned(sha256, pinned)));
                    }
                    _ => loaded,
                }
            }
            None => {
                let library = open(path, pinned).map_err(unusable)?;
                LOADED.get_or_init(|| library)
            }
        };
        Ok(Self {
            library: library.clone(),
            provider,
        })
    }

    pub(crate) fn version(&self) -> &str {
        &self.library.version
    }

    /// Whether no graphics card or other device was chosen.
    pub(super) fn runs_on_processor(&self) -> bool {
        self.provider.is_none()
    }

    pub(crate) fn library(&self) -> &RuntimeLibrary {
        &self.library.file
    }

    /// A net on this runtime.
    pub(super) fn network(&self, model: &Model) -> Result<Box<dyn Network>, String> {
        let largest = model.largest.map(InputSize::square);
        let session = guarded(|| self.session(model.onnx, largest))?;
        let size = match session.inputs() {
            [input] => match input.dtype() {
                // An open side is below nothing.
                ValueType::Tensor { shape, .. } => {
                    let side = shape.last().and_then(|side| u32::try_from(*side).ok());
                    model.largest.or(side)
                }
                _ => None,
            },
            _ => None,
        };
        let size = size.ok_or("its input has no fixed size")?;
        Ok(Box::new(OnnxRuntimeNetwork {
            runtime: self.clone(),
            onnx: model.onnx,
            size,
            one_size: model.largest.is_none(),
            idle: Mutex::new(vec![(InputSize::square(size), session)]),
        }))
    }

    /// A session of one thread: the one that calls it. What it allocates it keeps for the next call.
    /// `size` closes the input's open sides: then it plans its memory and computes all that depends
    /// on sizes when it is made.
    fn session(&self, onnx: &[u8], size: Option<InputSize>) -> Result<Session, String> {
        let say = |error: ort::Error| error.to_string();
        let mut builder = Session::builder(&self.library.environment).map_err(say)?;
        let providers: Vec<ExecutionProviderDispatch> =
            self.provider.map(dispatch).into_iter().collect();
        builder = builder
            .with_optimization_level(GraphOptimizationLevel::All)
            .map_err(|error| error.to_string())?
            .with_intra_threads(1)
            .map_err(|error| error.to_string())?
            .with_inter_threads(1)
            .map_err(|error| error.to_string())?
            .with_execution_providers(providers)
            .map_err(|error| error.to_string())?;
        if let Some(InputSize { width, height }) = size {
            builder = builder
                .with_dimension_override("width", i64::from(width))
                .map_err(|error| error.to_string())?
                .with_dimension_override("height", i64::from(height))
                .map_err(|error| error.to_string())?;
        }
        builder.commit_from_memory(onnx).map_err(say)
    }
}

/// The provider, whose failure to start is an error and not a quiet return to the processor.
fn dispatch(provider: ExecutionProvider) -> ExecutionProviderDispatch {
    match provider {
        ExecutionProvider::Cuda => ep::CUDA::default().build(),
        ExecutionProvider::TensorRt => ep::TensorRT::default().build(),
        ExecutionProvider::OpenVino => ep::OpenVINO::default().build(),
        ExecutionProvider::CoreMl => ep::CoreML::default().build(),
    }
    .error_on_failure()
}

fn open(path: &Path, pinned: Option<&str>) -> Result<Library, String> {
    let path = path.canonicalize().map_err(|error| error.to_string())?;
    let sha256 = library::check(&path, pinned)?;
    guarded(|| {
        let environment = ort::init_from(&path)
            .map_err(|error| error.to_string())?
            .with_name("livecheck")
            .with_telemetry(false)
            .build()
            .map_err(|error| error.to_string())?;
        let version = version(ort::info(), &path);
        Ok(Library {
            environment,
            file: RuntimeLibrary {
                path: path.clone(),
                sha256: sha256.clone(),
            },
            version,
        })
    })
}

/// The version that the library's build information names by its release branch, or its file name.
fn version(build: &str, path: &Path) -> String {
    let from_branch = build
        .split_once("git-branch=")
        .map(|(_, rest)| rest.split(',').next().unwrap_or_default())
        .and_then(|branch| branch.strip_prefix("rel-"));
    let from_name = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.split_once(".so."))
        .map(|(_, version)| version);
    from_name.or(from_branch).unwrap_or_default().to_owned()
}

/// The binding panics where a library lacks what it should have.
fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err("the library does not behave like ONNX Runtime".to_owned()))
}

/// A net, with as many sessions as were ever needed at the same time: each has its own memory, and
/// serves one size of input.
struct OnnxRuntimeNetwork {
    runtime: OnnxRuntime,
    onnx: &'static [u8],
    size: u32,
    one_size: bool,
    idle: Mutex<Vec<(InputSize, Session)>>,
}

impl OnnxRuntimeNetwork {
    fn idle(&self) -> MutexGuard<'_, Vec<(InputSize, Session)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network for OnnxRuntimeNetwork {
    fn size(&self) -> u32 {
        self.size
    }

    fn run(&self, rgb: &[u8], size: InputSize) -> Result<Vec<Vec<f32>>, String> {
        let idle = {
            let mut idle = self.idle();
            let last = idle.iter().rposition(|(known, _)| *known == size);
            last.map(|at| idle.swap_remove(at).1)
        };
        let mut session = match idle {
            Some(session) => session,
            None => {
                let open = (!self.one_size).then_some(size);
                guarded(|| self.runtime.session(self.onnx, open))?
            }
        };
        let outputs = run(&mut session, size, planes(rgb)).map_err(|error| error.to_string());
        self.idle().push((size, session));
        outputs
    }
}

/// Interleaved RGB bytes → three planes of `f32` 0..255, the layout of every model file.
fn planes(rgb: &[u8]) -> Vec<f32> {
    let pixels = rgb.len() / 3;
    let mut planes = vec![0.0; pixels * 3];
    let (red, rest) = planes.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    for (((pixel, r), g), b) in rgb.chunks_exact(3).zip(red).zip(green).zip(blue) {
        *r = f32::from(pixel[0]);
        *g = f32::from(pixel[1]);
        *b = f32::from(pixel[2]);
    }
    planes
}

fn run(session: &mut Session, size: InputSize, planes: Vec<f32>) -> ort::Result<Vec<Vec<f32>>> {
    let input = Tensor::from_array((size.shape(), planes))?;
    session
        .run(ort::inputs![input])?
        .values()
        .map(|output| Ok(output.try_extract_tensor::<f32>()?.1.to_vec()))
        .collect()
}
