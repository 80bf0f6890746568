//! The file of results. An interrupted run leaves whole rows and at most one half row; the next
//! one cuts that off and goes on.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::report::{self, COLUMNS, Format, Name};

/// Longest row that can be one: names have at most some thousand bytes. What is longer is no file
/// of results, and nothing is cut off from it.
const MAX_ROW_BYTES: usize = 256 * 1024;

pub(super) struct Results {
    path: PathBuf,
    file: File,
    /// The files of earlier runs, and whether they got a verdict.
    earlier: HashMap<Name, bool>,
}

impl Results {
    /// Makes the file; with `resume` it may exist and hold results.
    ///
    /// # Errors
    /// The file cannot be opened, another run writes to it, it holds something without `resume`,
    /// or something that no run has written.
    pub(super) fn open(path: &Path, format: Format, resume: bool) -> Result<Self> {
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
        if size > 0 && !resume {
            bail!(
                "{shown} holds {size} bytes already: add --resume to go on with it, or give another --output"
            );
        }
        let mut results = Self {
            path: path.to_owned(),
            file,
            earlier: HashMap::new(),
        };
        let whole = if resume { results.read(format)? } else { 0 };
        if whole < size {
            results
                .file
                .set_len(whole)
                .with_context(|| format!("the half row at the end of {shown} cannot be cut off"))?;
        }
        if whole == 0 {
            results.append(&report::head(format))?;
        }
        Ok(results)
    }

    /// Whether an earlier run gave this file a verdict; `None` when none judged it.
    pub(super) fn earlier(&self, name: &Name) -> Option<bool> {
        self.earlier.get(name).copied()
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
                "row {number} of {shown} is no result of `check` in this format: give another --output or --format"
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
                Some(Row::Head) => {}
                Some(Row::Result(name, success)) => {
                    self.earlier.insert(name, success);
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

enum Row {
    Head,
    Result(Name, bool),
}

fn parse(format: Format, number: usize, row: &[u8]) -> Option<Row> {
    if format == Format::Json {
        #[derive(Deserialize)]
        struct Line {
            #[serde(flatten)]
            name: Name,
            success: bool,
        }
        let line: Line = serde_json::from_slice(row).ok()?;
        return Some(Row::Result(line.name, line.success));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(row);
    let record = reader.records().next()?.ok()?;
    if number == 1 {
        return (record == *COLUMNS.as_slice()).then_some(Row::Head);
    }
    let [file, hex, success] = [record.get(0)?, record.get(1)?, record.get(2)?];
    if record.len() != COLUMNS.len() {
        return None;
    }
    let name = Name {
        file: file.to_owned(),
        file_hex: (!hex.is_empty()).then(|| hex.to_owned()),
    };
    Some(Row::Result(name, success.parse().ok()?))
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
