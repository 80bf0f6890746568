//! The runtime that the settings asked for; it loads the models.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    embedded::EmbeddedNetwork,
    info::{RuntimeInfo, RuntimeLibrary},
    models::Model,
    network::Network,
    onnx_runtime::OnnxRuntime,
    settings::{LIBRARY_FOLDERS, RuntimeChoice, RuntimeSettings},
};
use crate::error::EngineError;

/// The runtime in force.
#[derive(Clone)]
pub struct Runtime {
    backend: Backend,
    note: Option<String>,
}

#[derive(Clone)]
enum Backend {
    Embedded,
    OnnxRuntime(OnnxRuntime),
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
            (RuntimeChoice::OnnxRuntime, None) => open(&find_library().ok_or_else(not_found)?),
            (RuntimeChoice::Auto, None) if provider.is_none() => Ok(Self::embedded()),
            (RuntimeChoice::Auto, None) => {
                let found = find_library()
                    .ok_or_else(not_found)
                    .and_then(|at| open(&at));
                Ok(found.unwrap_or_else(|error| Self {
                    backend: Backend::Embedded,
                    note: Some(error.to_string()),
                }))
            }
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

    /// Why `Auto` runs on the processor although an execution provider was chosen.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Verifies a model and loads it; on the embedded runtime where that is faster.
    pub(crate) fn load_model(&self, model: &Model) -> Result<Box<dyn Network>, EngineError> {
        model.verify()?;
        match &self.backend {
            Backend::OnnxRuntime(library) if model.embedded && library.runs_on_processor() => {
                Backend::Embedded.load_model(model)
            }
            backend => backend.load_model(model),
        }
    }

    /// Loads a model on this runtime and no other.
    #[cfg(test)]
    pub(crate) fn load_model_here(&self, model: &Model) -> Result<Box<dyn Network>, EngineError> {
        self.backend.load_model(model)
    }
}

impl Backend {
    fn load_model(&self, model: &Model) -> Result<Box<dyn Network>, EngineError> {
        let network: Result<Box<dyn Network>, String> = match self {
            Self::Embedded => EmbeddedNetwork::load(model).map(|network| Box::new(network) as _),
            Self::OnnxRuntime(library) => library.network(model),
        };
        network.map_err(|reason| EngineError::Network {
            name: model.name,
            reason,
        })
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

fn not_found() -> EngineError {
    EngineError::Runtime {
        library: PathBuf::from(library_name()),
        reason: format!("it is in none of {}", LIBRARY_FOLDERS.join(", ")),
    }
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
