//! The file of results. An interrupted run leaves whole rows and at most one half row; the next
//! one cuts that off and goes on.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use livecheck_contract::{FileName, Row};
use serde::Deserialize;

use super::report::{self, Format, Outcome};

/// Longest row that can be one: names have at most some thousand bytes. What is longer is no file
/// of results, and nothing is cut off from it.
const MAX_ROW_BYTES: usize = 256 * 1024;

/// What becomes of a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and nothing is judged.
    Refuse,
    /// Its rows count.
    Resume,
    Overwrite,
}

/// What a row says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Live,
    Attack,
    /// No verdict, with the error code.
    None(String),
}

impl Answer {
    fn verdict(live: bool) -> Self {
        if live { Self::Live } else { Self::Attack }
    }

    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Ok(verdict) => Self::verdict(verdict.live),
            Err(refused) => Self::None(refused.rejection.code().to_owned()),
        }
    }
}

pub(super) struct Results {
    path: PathBuf,
    file: File,
    /// What earlier runs said of the files.
    earlier: HashMap<FileName, Answer>,
}

impl Results {
    /// Makes the file. One that exists and holds something is treated as `existing` says.
    ///
    /// # Errors
    /// The file cannot be opened, another run writes to it, or what it holds stays.
    pub(super) fn open(path: &Path, format: Format, existing: Existing) -> Result<Self> {
        let shown = path.display();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| format!("{shown} cannot be opened for writing"))?;
        // File systems without locks say so with another error: there the user takes care.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            bail!("another run writes to {shown}: wait for it, or give another --output");
        }
        let size = file
            .metadata()
            .with_context(|| format!("{shown} cannot be examined"))?
            .len();
        if size > 0 && existing == Existing::Refuse {
            bail!(
                "{shown} exists and holds {size} bytes: add --resume to continue it or --force to overwrite it, or give another --output"
            );
        }
        let mut results = Self {
            path: path.to_owned(),
            file,
            earlier: HashMap::new(),
        };
        let whole = match existing {
            Existing::Resume => results.read(format)?,
            Existing::Refuse | Existing::Overwrite => 0,
        };
        if whole < size {
            results
                .file
                .set_len(whole)
                .with_context(|| format!("{shown} cannot be truncated to its complete rows"))?;
        }
        if whole == 0 {
            results.append(&report::head(format))?;
        }
        Ok(results)
    }

    /// What an earlier run said of this file; `None` when none judged it.
    pub(super) fn earlier(&self, name: &FileName) -> Option<&Answer> {
        self.earlier.get(name)
    }

    /// Adds one row, in one piece as far as the system allows.
    pub(super) fn append(&mut self, row: &str) -> Result<()> {
        self.file
            .write_all(row.as_bytes())
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }

    /// Waits until the rows are on the disk.
    pub(super) fn finish(self) -> Result<()> {
        match self.file.sync_data() {
            // A pipe or a device has no disk.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.with_context(|| format!("{} cannot be written", self.path.display())),
        }
    }

    /// Takes in the whole rows and returns their length in bytes.
    fn read(&mut self, format: Format) -> Result<u64> {
        let shown = self.path.display();
        let mut reader = BufReader::new(&self.file);
        let mut row = Vec::new();
        let mut number = 1;
        let mut whole = 0;
        let foreign = |number: usize| {
            format!(
                "row {number} of {shown} is not a result of `check` in this format: give another --output or --format"
            )
        };
        loop {
            let read = reader
                .read_until(b'\n', &mut row)
                .with_context(|| format!("{shown} cannot be read"))?;
            if row.len() > MAX_ROW_BYTES {
                bail!(foreign(number));
            }
            if read == 0 || row.last() != Some(&b'\n') {
                break;
            }
            // A line break within quotes belongs to a name.
            let quotes = row.iter().filter(|byte| **byte == b'"').count();
            if format == Format::Csv && quotes % 2 == 1 {
                continue;
            }
            match parse(format, number, &row) {
                Some(Read::Head) => {}
                Some(Read::Result(name, answer)) => {
                    self.earlier.insert(name, answer);
                }
                None => bail!(foreign(number)),
            }
            whole += u64::try_from(row.len())?;
            number += 1;
            row.clear();
        }
        if !begins_like_a_row(format, number, &row) {
            bail!(foreign(number));
        }
        Ok(whole)
    }
}

enum Read {
    Head,
    Result(FileName, Answer),
}

fn parse(format: Format, number: usize, row: &[u8]) -> Option<Read> {
    if format == Format::Json {
        #[derive(Deserialize)]
        struct Line {
            #[serde(flatten)]
            name: FileName,
            success: bool,
            result: Option<Judged>,
            error_code: Option<String>,
        }
        #[derive(Deserialize)]
        struct Judged {
            liveness: bool,
        }
        let line: Line = serde_json::from_slice(row).ok()?;
        let answer = match (line.success, line.result, line.error_code) {
            (true, Some(result), None) => Answer::verdict(result.liveness),
            (false, None, Some(code)) => Answer::None(code),
            _ => return None,
        };
        return Some(Read::Result(line.name, answer));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(row);
    let record = reader.records().next()?.ok()?;
    if number == 1 {
        return (record == *Row::COLUMNS.as_slice()).then_some(Read::Head);
    }
    if record.len() != Row::COLUMNS.len() {
        return None;
    }
    let [file, hex, success, liveness, code] = [0, 1, 2, 3, 5].map(|column| &record[column]);
    let answer = match (success, liveness) {
        ("true", liveness) => Answer::verdict(liveness.parse().ok()?),
        ("false", "") => Answer::None(code.to_owned()),
        _ => return None,
    };
    let name = FileName {
        file: file.to_owned(),
        file_hex: (!hex.is_empty()).then(|| hex.to_owned()),
    };
    Some(Read::Result(name, answer))
}

/// Whether a half row can be one of `check`'s: otherwise the file is somebody else's, and cutting
/// it would be a loss. A CSV row may begin with anything, but only after its head.
fn begins_like_a_row(format: Format, number: usize, half: &[u8]) -> bool {
    let start = match format {
        Format::Csv if number == 1 => report::head(format),
        Format::Csv | Format::Table => return true,
        Format::Json => r#"{"file":""#.to_owned(),
    };
    half.iter().zip(start.as_bytes()).all(|(a, b)| a == b)
}
