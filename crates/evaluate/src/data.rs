//! What is measured on: presentations with their labels, and where their images lie.
//!
//! Two forms are read. A **manifest** is a CSV file with a line of column names; upper and lower
//! case, spaces, hyphens and underscores make no difference in them, and other columns are ignored:
//!
//! | what | column names |
//! |---|---|
//! | image (needed) | `image`, `file`, `filename`, `path`, `img` |
//! | label (needed) | `label`, `class`, `target`, `ground_truth` |
//! | kind of attack | `type`, `attack_type`, `attack`, `species`, `pai`, `pai_species` |
//! | source | `source`, `dataset`, `set`, `camera`, `device` |
//! | subject | `subject`, `person`, `subject_id`, `person_id`, `identity` |
//!
//! A **folder** has one folder for each class (`live/`, `print/`, `screen/`, `attack/`); a folder
//! within one of them is a subject.
//!
//! Labels are words: see [`Label::parse`]. Numbers are refused, because some sets use 1 for live
//! and others for an attack.

mod error;
mod folder;
mod images;
mod manifest;
mod presentation;

pub use error::DataError;
pub use folder::{EXTENSIONS, name_of, read_folder};
pub use images::Images;
pub(crate) use manifest::read_rows;
pub use manifest::{Columns, read_manifest};
pub(crate) use presentation::check_presentations;
pub use presentation::{Label, Presentation, UNSPECIFIED, fingerprint};
