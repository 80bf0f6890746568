//! Files to outcomes, on several threads.

use std::{
    fs::File,
    io::{self, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Result;
use livecheck_engine::{Engine, LimitExceeded, Rejection};

use super::{explain, report::Outcome};
use crate::ordered;

/// Judges the files on `workers` threads and hands the outcomes to `show` in the files' order.
/// A drawing of each verdict is in the folder `explain` before its outcome is shown.
///
/// # Errors
/// The first error of `show`, or a drawing that cannot be written; the other threads stop then.
pub(super) fn all(
    engine: &Engine,
    files: &[PathBuf],
    workers: NonZeroUsize,
    explain: Option<&Path>,
    mut show: impl FnMut(&Path, &Outcome) -> Result<()>,
) -> Result<()> {
    ordered::run(
        files,
        workers,
        |file| judge(engine, file, explain),
        |file, outcome| show(file, &outcome?),
    )
}

fn judge(engine: &Engine, file: &Path, explain: Option<&Path>) -> Result<Outcome> {
    let judged = read(file, engine.config().limits.max_file_bytes)
        .and_then(|bytes| match explain {
            // Drawn into at its full size.
            Some(_) => engine.decode_whole(&bytes),
            None => engine.decode(&bytes),
        })
        .and_then(|photo| Ok((engine.judge(&photo)?, photo)));
    match judged {
        Ok((verdict, photo)) => {
            if let Some(folder) = explain {
                explain::write(folder, file, photo, &verdict)?;
            }
            Ok(Ok(verdict))
        }
        Err(rejection) => Ok(Err(rejection)),
    }
}

/// The file's bytes; of one that is too large no more than tells so.
fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Rejection> {
    let unreadable =
        |error: io::Error| Rejection::UnreadableImage(format!("the file cannot be read: {error}"));
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(unreadable)?
        .take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(Rejection::TooLarge(LimitExceeded::FileBytes {
            actual: None,
            limit,
        }));
    }
    Ok(bytes)
}
