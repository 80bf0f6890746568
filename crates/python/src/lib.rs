//! The Python module `livecheck_engine`: photos in, verdicts out, without a server.
//!
//! `engine` is what Python sees, `photos` takes photos out of Python's objects and Arrow's columns,
//! `workers` judges them on threads while the interpreter is free, `table` makes Arrow's columns of
//! the rows.

mod answer;
mod engine;
mod photos;
mod table;
mod workers;

use pyo3::prelude::*;

/// Passive face liveness: what `livecheck_engine` re-exports.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{answer::Answer, engine::Engine};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
