//! Photos out of Python's objects and out of Arrow's columns, one after the other and without copies.

use std::{path::PathBuf, sync::Arc};

use arrow_array::{
    Array, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray, make_array,
};
use arrow_data::ArrayData;
use arrow_pyarrow::FromPyArrow;
use livecheck_contract::FileName;
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyByteArray, PyBytes, PyIterator, PyMemoryView, PyString},
};

/// The file of one photo, where Python or Arrow keeps it.
pub(crate) enum Photo {
    Bytes(PyBackedBytes),
    Cell(Arc<Chunk>, usize),
    /// `None`, or null.
    Missing,
}

impl Photo {
    /// The photo in `value`; the position, if it has one, is for the error.
    pub(crate) fn from_python(value: &Bound<'_, PyAny>, at: Option<usize>) -> PyResult<Self> {
        if value.is_none() {
            return Ok(Self::Missing);
        }
        if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
            return Ok(Self::Bytes(value.extract()?));
        }
        if value.is_instance_of::<PyMemoryView>() {
            let bytes = value.call_method0(intern!(value.py(), "tobytes"))?;
            return Ok(Self::Bytes(bytes.extract()?));
        }
        let kind = value.get_type().name()?;
        let which = at.map_or_else(|| "photo".to_owned(), |at| format!("photos[{at}]"));
        Err(PyTypeError::new_err(format!(
            "{which} is a {kind}; allowed are bytes, bytearray, memoryview and None"
        )))
    }

    /// The bytes; `None` where there is no photo.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Cell(chunk, row) => chunk.get(*row),
            Self::Missing => None,
        }
    }
}

/// A piece of a column, in the memory that its maker owns.
pub(crate) enum Chunk {
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    FixedSizeBinary(FixedSizeBinaryArray),
}

impl Chunk {
    fn from_python(array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = make_array(ArrayData::from_pyarrow_bound(array)?);
        let any = array.as_any();
        if let Some(array) = any.downcast_ref::<BinaryArray>() {
            return Ok(Self::Binary(array.clone()));
        }
        if let Some(array) = any.downcast_ref::<LargeBinaryArray>() {
            return Ok(Self::LargeBinary(array.clone()));
        }
        if let Some(array) = any.downcast_ref::<BinaryViewArray>() {
            return Ok(Self::BinaryView(array.clone()));
        }
        if let Some(array) = any.downcast_ref::<FixedSizeBinaryArray>() {
            return Ok(Self::FixedSizeBinary(array.clone()));
        }
        Err(PyTypeError::new_err(format!(
            "the Arrow data is of type {}; allowed is one column of binary, large_binary, \
             binary_view or fixed_size_binary, such as table[\"photo\"]",
            array.data_type()
        )))
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Binary(array) => array,
            Self::LargeBinary(array) => array,
            Self::BinaryView(array) => array,
            Self::FixedSizeBinary(array) => array,
        }
    }

    fn get(&self, row: usize) -> Option<&[u8]> {
        if self.array().is_null(row) {
            return None;
        }
        Some(match self {
            Self::Binary(array) => array.value(row),
            Self::LargeBinary(array) => array.value(row),
            Self::BinaryView(array) => array.value(row),
            Self::FixedSizeBinary(array) => array.value(row),
        })
    }
}

/// One photo that is to be judged.
pub(crate) struct Job {
    /// Its position, from 0.
    pub(crate) at: usize,
    pub(crate) photo: Photo,
    pub(crate) name: Option<FileName>,
}

/// Photos and their names, taken one by one: what an iterable makes lives no longer than it must.
pub(crate) struct Input {
    source: Source,
    names: Option<Py<PyIterator>>,
    taken: usize,
}

enum Source {
    Columns {
        chunks: Vec<Arc<Chunk>>,
        chunk: usize,
        row: usize,
    },
    Iterator(Py<PyIterator>),
}

impl Input {
    /// # Errors
    /// `TypeError` for what has no photos in it.
    pub(crate) fn new(
        photos: &Bound<'_, PyAny>,
        names: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            source: Source::new(photos)?,
            names: names
                .map(|names| {
                    // Their elements would be Arrow scalars.
                    let list = intern!(names.py(), "to_pylist");
                    if names.hasattr(list)? {
                        names.call_method0(list)?.try_iter().map(Bound::unbind)
                    } else if names.is_instance_of::<PyString>() {
                        Err(PyTypeError::new_err(
                            "names is one str; allowed is a list or a column of them",
                        ))
                    } else {
                        names.try_iter().map(Bound::unbind)
                    }
                })
                .transpose()?,
            taken: 0,
        })
    }

    /// The next photo.
    ///
    /// # Errors
    /// What the iterable raises, `TypeError` for what is no photo or no name, and `ValueError` when there
    /// are not as many names as photos.
    pub(crate) fn next(&mut self, py: Python<'_>) -> PyResult<Option<Job>> {
        let at = self.taken;
        let photo = self.source.next(py, at)?;
        let name = match &self.names {
            Some(names) => names.bind(py).clone().next().transpose()?,
            None => None,
        };
        let name = match (&photo, name) {
            (None, Some(_)) => {
                return Err(PyValueError::new_err(format!(
                    "there are more names than photos, of which there are {at}"
                )));
            }
            (Some(_), None) if self.names.is_some() => {
                return Err(PyValueError::new_err(format!(
                    "there are more photos than names, of which there are {at}"
                )));
            }
            (_, Some(name)) if !name.is_none() => {
                let path: PathBuf = name.extract().map_err(|_| {
                    let kind = name.get_type();
                    PyTypeError::new_err(format!(
                        "names[{at}] is of {kind}; allowed are str, paths and None"
                    ))
                })?;
                Some(FileName::of(&path))
            }
            _ => None,
        };
        self.taken += 1;
        Ok(photo.map(|photo| Job { at, photo, name }))
    }
}

impl Source {
    fn new(photos: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = photos.py();
        let arrow = |name| PyModule::import(py, "pyarrow")?.call_method1(name, (photos,));
        // `pyarrow` takes what others export; its own arrays it returns as they are.
        let chunks = if photos.hasattr(intern!(py, "__arrow_c_stream__"))? {
            arrow("chunked_array")?
                .getattr(intern!(py, "chunks"))?
                .try_iter()?
                .map(|chunk| Chunk::from_python(&chunk?).map(Arc::new))
                .collect::<PyResult<_>>()?
        } else if photos.hasattr(intern!(py, "__arrow_c_array__"))? {
            vec![Arc::new(Chunk::from_python(&arrow("array")?)?)]
        } else if photos.is_instance_of::<PyBytes>() || photos.is_instance_of::<PyByteArray>() {
            return Err(PyTypeError::new_err(
                "photos is one photo; check() takes one, check_many() a list, an iterator or an Arrow column of them",
            ));
        } else {
            return Ok(Self::Iterator(photos.try_iter()?.unbind()));
        };
        Ok(Self::Columns {
            chunks,
            chunk: 0,
            row: 0,
        })
    }

    fn next(&mut self, py: Python<'_>, at: usize) -> PyResult<Option<Photo>> {
        match self {
            Self::Iterator(iterator) => iterator
                .bind(py)
                .clone()
                .next()
                .map(|value| Photo::from_python(&value?, Some(at)))
                .transpose(),
            Self::Columns { chunks, chunk, row } => {
                while let Some(current) = chunks.get(*chunk) {
                    if *row < current.array().len() {
                        *row += 1;
                        return Ok(Some(Photo::Cell(Arc::clone(current), *row - 1)));
                    }
                    *chunk += 1;
                    *row = 0;
                }
                Ok(None)
            }
        }
    }
}
