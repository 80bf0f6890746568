//! `livecheck_engine.Engine`.

use std::{fs::File, io::Read, num::NonZeroUsize, path::PathBuf, thread};

use livecheck_engine::{
    CalibrationFile, Engine as Judge, EngineConfig, EngineError, ExecutionProvider, Limits, Preset,
    RuntimeChoice, RuntimeSettings, ScoreCalibration, Thresholds,
};
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{
    answer::Answer,
    photos::{Input, Photo},
    workers,
};

/// Most threads of one call.
const MOST_THREADS: usize = 1024;

/// Most bytes of a calibration file.
const MAX_CALIBRATION_BYTES: u64 = 1 << 20;

/// Judges photos. Immutable and thread-safe: make one per process and share it.
///
/// The settings have the names, ranges and defaults of ``livecheck check``; those left out come from
/// ``preset``, else from the defaults. Two engines of one version with the same settings give the same
/// verdicts on one kind of processor. An engine can be pickled: what travels is its settings.
#[pyclass(frozen, module = "livecheck_engine")]
pub(crate) struct Engine {
    judge: Judge,
    settings: Settings,
}

/// What `Engine(...)` was made with.
#[derive(IntoPyObject, Clone)]
struct Settings {
    preset: Option<String>,
    liveness_threshold: Option<f64>,
    face_threshold: Option<f64>,
    mask_threshold: Option<f64>,
    review_threshold: Option<f64>,
    min_image_side: Option<u32>,
    min_face_side: Option<u32>,
    max_file_bytes: Option<usize>,
    max_pixels: Option<u64>,
    calibration: Option<PathBuf>,
    runtime: Option<String>,
    onnxruntime: Option<PathBuf>,
    execution_provider: Option<String>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (
        *,
        preset = None,
        liveness_threshold = None,
        face_threshold = None,
        mask_threshold = None,
        review_threshold = None,
        min_image_side = None,
        min_face_side = None,
        max_file_bytes = None,
        max_pixels = None,
        calibration = None,
        runtime = None,
        onnxruntime = None,
        execution_provider = None,
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "Python's callers give them by name"
    )]
    fn new(
        py: Python<'_>,
        preset: Option<String>,
        liveness_threshold: Option<f64>,
        face_threshold: Option<f64>,
        mask_threshold: Option<f64>,
        review_threshold: Option<f64>,
        min_image_side: Option<u32>,
        min_face_side: Option<u32>,
        max_file_bytes: Option<usize>,
        max_pixels: Option<u64>,
        calibration: Option<PathBuf>,
        runtime: Option<String>,
        onnxruntime: Option<PathBuf>,
        execution_provider: Option<String>,
    ) -> PyResult<Self> {
        let settings = Settings {
            preset,
            liveness_threshold,
            face_threshold,
            mask_threshold,
            review_threshold,
            min_image_side,
            min_face_side,
            max_file_bytes,
            max_pixels,
            calibration,
            runtime,
            onnxruntime,
            execution_provider,
        };
        let config = settings.config()?;
        let runtime = settings.runtime()?;
        let judge = py
            .detach(|| Judge::with_runtime(config, &runtime))
            .map_err(to_python)?;
        Ok(Self { judge, settings })
    }

    /// Judges one photo: the bytes of a JPEG, PNG or WebP file.
    ///
    /// Whatever the bytes are, the answer says what is wrong with them; nothing is raised for a photo.
    /// Other Python threads run meanwhile.
    fn check(&self, py: Python<'_>, photo: &Bound<'_, PyAny>) -> PyResult<Answer> {
        let photo = Photo::from_python(photo, None)?;
        let judge = &self.judge;
        let outcome = py.detach(|| workers::judge(judge, photo.bytes()));
        Ok(Answer::new(&outcome))
    }

    /// Judges many photos and returns a ``pyarrow.Table`` with one row for each, in their order.
    ///
    /// ``photos`` is an iterable of ``bytes``, which is read as the work goes on, or an Arrow column of
    /// binary values from any library that exports Arrow data, whose photos are not copied. ``None`` and
    /// null give a row with error code ``002``. ``names``, as many as photos, fill the columns ``file``
    /// and ``file_hex``. ``threads`` is by default the number of processors. Other Python threads run
    /// meanwhile; Ctrl-C stops the work after the photos in hand.
    ///
    /// The columns are those of ``livecheck check --format csv``.
    #[pyo3(signature = (photos, *, names = None, threads = None))]
    fn check_many<'py>(
        &self,
        py: Python<'py>,
        photos: &Bound<'py, PyAny>,
        names: Option<&Bound<'py, PyAny>>,
        threads: Option<isize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let threads = thread_count(threads)?;
        let input = Input::new(photos, names)?;
        let judge = &self.judge;
        py.detach(|| workers::judge_all(judge, input, threads))?
            .finish(py)
    }

    /// Name and version of the inference runtime in force, such as ``"embedded 0.1.0"``.
    #[getter]
    fn runtime(&self) -> String {
        self.judge.runtime().info().to_string()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut given = Vec::new();
        for (name, value) in self.settings.given(py)? {
            given.push(format!("{name}={}", value.repr()?));
        }
        Ok(format!("Engine({})", given.join(", ")))
    }

    /// For pickle.
    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        Ok((PyTuple::empty(py), self.settings.given(py)?))
    }
}

impl Settings {
    /// Those that were given.
    fn given<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let given = PyDict::new(py);
        for (name, value) in self.clone().into_pyobject(py)? {
            if !value.is_none() {
                given.set_item(name, value)?;
            }
        }
        Ok(given)
    }

    fn config(&self) -> PyResult<EngineConfig> {
        let thresholds = match &self.preset {
            None => Thresholds::default(),
            Some(name) => Preset::from_name(name)
                .ok_or_else(|| not_allowed("preset", name, &Preset::ALL.map(Preset::name)))?
                .thresholds(),
        };
        // Scores have single precision, and so has what they are compared with.
        let single = |value: Option<f64>| value.map(|value| value as f32);
        let limits = Limits::default();
        Ok(EngineConfig {
            thresholds: Thresholds {
                face: single(self.face_threshold).unwrap_or(thresholds.face),
                liveness: single(self.liveness_threshold).unwrap_or(thresholds.liveness),
                mask: single(self.mask_threshold).unwrap_or(thresholds.mask),
                review: single(self.review_threshold).or(thresholds.review),
            },
            limits: Limits {
                max_file_bytes: self.max_file_bytes.unwrap_or(limits.max_file_bytes),
                max_pixels: self.max_pixels.unwrap_or(limits.max_pixels),
                min_image_side: self.min_image_side.unwrap_or(limits.min_image_side),
                min_face_side: self.min_face_side.unwrap_or(limits.min_face_side),
            },
            calibration: self.calibration()?,
            ..EngineConfig::default()
        })
    }

    fn calibration(&self) -> PyResult<ScoreCalibration> {
        let Some(path) = &self.calibration else {
            return Ok(ScoreCalibration::default());
        };
        let mut text = String::new();
        File::open(path)?
            .take(MAX_CALIBRATION_BYTES)
            .read_to_string(&mut text)?;
        let file = CalibrationFile::parse(&text).map_err(|error| {
            PyValueError::new_err(format!("calibration {}: {error}", path.display()))
        })?;
        Ok(file.calibration)
    }

    fn runtime(&self) -> PyResult<RuntimeSettings> {
        let choices = RuntimeChoice::ALL;
        let providers = ExecutionProvider::ALL;
        Ok(RuntimeSettings {
            choice: match &self.runtime {
                None if self.onnxruntime.is_some() => RuntimeChoice::OnnxRuntime,
                None => RuntimeChoice::Embedded,
                Some(name) => named("runtime", name, &choices)?,
            },
            library: self.onnxruntime.clone(),
            sha256: None,
            execution_provider: self
                .execution_provider
                .as_ref()
                .map(|name| named("execution_provider", name, &providers))
                .transpose()?,
        })
    }
}

/// The value of that name.
fn named<T: Copy>(setting: &str, name: &str, all: &[(T, &str)]) -> PyResult<T> {
    all.iter()
        .find_map(|(value, known)| (*known == name).then_some(*value))
        .ok_or_else(|| {
            let allowed: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            not_allowed(setting, name, &allowed)
        })
}

fn not_allowed(setting: &str, value: &str, allowed: &[&str]) -> PyErr {
    PyValueError::new_err(format!(
        "{setting} is {value:?}; allowed is one of {}",
        allowed.join(", ")
    ))
}

fn thread_count(threads: Option<isize>) -> PyResult<NonZeroUsize> {
    let Some(threads) = threads else {
        return Ok(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    };
    usize::try_from(threads)
        .ok()
        .and_then(NonZeroUsize::new)
        .filter(|threads| threads.get() <= MOST_THREADS)
        .ok_or_else(|| {
            PyValueError::new_err(format!(
                "threads is {threads}; allowed is 1 to {MOST_THREADS}"
            ))
        })
}

fn to_python(error: EngineError) -> PyErr {
    match error {
        EngineError::Setting { .. } => PyValueError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}
