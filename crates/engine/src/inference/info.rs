//! What answers and documents say of models and runtimes.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

#[cfg(feature = "openapi")]
use crate::schema::RuntimeName;

/// One embedded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Model))]
pub struct ModelInfo {
    /// Name of the model.
    pub name: &'static str,
    /// SHA-256 of its file, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// What the models run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Runtime))]
pub struct RuntimeInfo {
    /// `embedded` or `onnxruntime`.
    #[cfg_attr(feature = "openapi", schema(value_type = RuntimeName, inline))]
    pub name: &'static str,
    /// Version of the runtime; empty where its library does not tell.
    pub version: String,
}

/// The shared library behind a [`Runtime`](crate::Runtime).
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
