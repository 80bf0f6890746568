//! What is wrong with the data.

use std::{io, path::PathBuf};

use thiserror::Error;

/// What is wrong with the data; one sentence each.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is not CSV.
    #[error("the manifest cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// A needed column is missing.
    #[error(
        "line 1: no column for the {what}: none of {} is among {}",
        listed(names),
        listed(found)
    )]
    Column {
        /// What it would hold.
        what: &'static str,
        /// Names it may have.
        names: Vec<String>,
        /// Names that are there.
        found: Vec<String>,
    },
    /// A line cannot be used.
    #[error("line {line}: {reason}")]
    Row {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A class is missing.
    #[error(
        "there is no {0}: nothing can be measured without both bona fide presentations and attacks"
    )]
    EmptyClass(&'static str),
    /// A folder is not laid out as it must be.
    #[error("{0}")]
    Layout(String),
    /// Images are missing.
    #[error("{missing} of {of} images are not in {}; the first is {first:?}{}", place.display(), at_line(*line))]
    MissingImages {
        /// How many.
        missing: usize,
        /// Of how many.
        of: usize,
        /// The first one.
        first: String,
        /// Its line in the manifest; 0 when there is none.
        line: u64,
        /// Where they were looked for.
        place: PathBuf,
    },
}

fn listed(names: &[String]) -> String {
    names.join(", ")
}

fn at_line(line: u64) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(" (line {line})")
    }
}
