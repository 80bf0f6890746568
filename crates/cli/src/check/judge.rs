//! Files to outcomes, on several threads.

use std::{
    fs::File,
    io::{self, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Result;
use livecheck_engine::{Engine, LimitExceeded, Rejection};

use super::{explain, files::STDIN, report::Outcome};
use crate::ordered;

/// Judges the files on `workers` threads and hands the outcomes to `show` in the files' order.
/// A drawing of each photo whose faces were looked for is in the folder `explain` before its outcome is
/// shown.
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
    let bytes = match read(file, engine.config().limits.max_file_bytes) {
        Ok(bytes) => bytes,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let Some(folder) = explain else {
        return Ok(engine.check(&bytes));
    };
    // Drawn into at its full size.
    let photo = match engine.decode_whole(&bytes) {
        Ok(photo) => photo,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let outcome = engine.judge(&photo);
    let thresholds = &engine.config().thresholds;
    explain::write(folder, file, photo, &outcome, thresholds)?;
    Ok(outcome)
}

/// The file's bytes; of one that is too large no more than tells so.
fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Rejection> {
    let unreadable =
        |error: io::Error| Rejection::UnreadableImage(format!("the file cannot be read: {error}"));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == STDIN {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(Rejection::TooLarge(LimitExceeded::FileBytes {
            actual: None,
            limit,
        }));
    }
    Ok(bytes)
}
