//! What the server asks of the engine. A trait, so that tests can put any verdict behind HTTP.

use livecheck_engine::{
    Engine, EngineConfig, EngineError, Finding, ImageInfo, Located, ModelInfo, Rejection, Runtime,
    RuntimeInfo, RuntimeLibrary, Thresholds, Verdict,
};

/// Judges photos, each with the thresholds of its key. All methods but `models` and `config` are blocking and CPU-bound; they are
/// called on the threads of the [`Pool`](crate::check::pool::Pool) only.
pub trait Judge: Send + Sync + 'static {
    /// See [`Engine::locate`].
    ///
    /// # Errors
    /// `002` or `003`.
    fn locate(&self, file: &[u8], thresholds: &Thresholds) -> Result<Located, Rejection>;

    /// See [`Engine::inspect`].
    ///
    /// # Errors
    /// `002` or `003`.
    fn inspect(&self, file: &[u8]) -> Result<ImageInfo, Rejection>;

    /// See [`Engine::judge`].
    ///
    /// # Errors
    /// `007`, `051`, `052` or `005`.
    fn judge(&self, located: &Located, thresholds: &Thresholds) -> Result<Verdict, Rejection>;

    /// See [`Engine::findings`].
    ///
    /// # Errors
    /// `005`.
    fn findings(
        &self,
        _located: &Located,
        _judged: Result<&Verdict, &Rejection>,
    ) -> Result<Vec<Finding>, Rejection> {
        Ok(Vec::new())
    }

    /// See [`Engine::self_test`].
    ///
    /// # Errors
    /// What differs from what must be.
    fn self_test(&self) -> Result<(), EngineError>;

    /// The models inside.
    fn models(&self) -> &'static [ModelInfo];

    /// The runtime that the models run on.
    fn runtime(&self) -> RuntimeInfo {
        Runtime::embedded().info()
    }

    /// The shared library behind the runtime.
    fn library(&self) -> Option<RuntimeLibrary> {
        None
    }

    /// The limits and thresholds in force.
    fn config(&self) -> EngineConfig;
}

impl Judge for Engine {
    fn locate(&self, file: &[u8], thresholds: &Thresholds) -> Result<Located, Rejection> {
        with(self, thresholds)?.locate(file)
    }

    fn inspect(&self, file: &[u8]) -> Result<ImageInfo, Rejection> {
        Self::inspect(self, file)
    }

    fn judge(&self, located: &Located, thresholds: &Thresholds) -> Result<Verdict, Rejection> {
        with(self, thresholds)?.judge(located)
    }

    fn findings(
        &self,
        located: &Located,
        judged: Result<&Verdict, &Rejection>,
    ) -> Result<Vec<Finding>, Rejection> {
        Self::findings(self, located, judged)
    }

    fn self_test(&self) -> Result<(), EngineError> {
        Self::self_test(self)
    }

    fn models(&self) -> &'static [ModelInfo] {
        Self::models(self)
    }

    fn runtime(&self) -> RuntimeInfo {
        Self::runtime(self).info()
    }

    fn library(&self) -> Option<RuntimeLibrary> {
        Self::runtime(self).library().cloned()
    }

    fn config(&self) -> EngineConfig {
        *Self::config(self)
    }
}

fn with(engine: &Engine, thresholds: &Thresholds) -> Result<Engine, Rejection> {
    let engine = engine.with_thresholds(*thresholds);
    engine.map_err(|error| Rejection::Internal(error.to_string()))
}
