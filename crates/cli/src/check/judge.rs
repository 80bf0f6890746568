//! Files to outcomes, on several threads.

use std::{
    fs::File,
    io::{self, Read},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::Result;
use livecheck_engine::{Engine, LimitExceeded, Located, Rejection};

use super::{
    explain,
    files::STDIN,
    report::{Outcome, Refused},
};
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
    details: bool,
    mut show: impl FnMut(&Path, &Outcome) -> Result<()>,
) -> Result<()> {
    ordered::run(
        files,
        workers,
        |file| judge(engine, file, explain, details),
        |file, outcome| show(file, &outcome?),
    )
}

fn judge(engine: &Engine, file: &Path, explain: Option<&Path>, details: bool) -> Result<Outcome> {
    let located =
        read(file, engine.config().limits.max_file_bytes).and_then(|bytes| match explain {
            // Drawn into at its full size.
            Some(_) => engine.locate_whole(&bytes),
            None => engine.locate(&bytes),
        });
    let located = match located {
        Ok(located) => located,
        Err(rejection) => return Ok(Err(rejection.into())),
    };
    let outcome = judged(engine, &located, details || explain.is_some());
    if let Some(folder) = explain {
        let thresholds = &engine.config().thresholds;
        explain::write(folder, file, located, &outcome, thresholds)?;
    }
    Ok(outcome)
}

/// The verdict or the refusal, with the findings if they are wanted.
fn judged(engine: &Engine, located: &Located, explained: bool) -> Outcome {
    let judged = engine.judge(located);
    let findings = explained
        .then(|| engine.findings(located, judged.as_ref()))
        .transpose()?;
    match judged {
        Ok(mut verdict) => {
            verdict.details.findings = findings;
            Ok(verdict)
        }
        Err(rejection) => Err(Refused {
            rejection,
            findings,
        }),
    }
}

/// The file's bytes; of one that is too large no more than tells so.
fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Rejection> {
    let mut bytes = Vec::new();
    let size = read_most(file, limit, &mut bytes)
        .map_err(|error| Rejection::UnreadableImage(format!("the file cannot be read: {error}")))?;
    if bytes.len() > limit {
        return Err(Rejection::TooLarge(LimitExceeded::FileBytes {
            actual: size.and_then(|size| usize::try_from(size).ok()),
            limit,
        }));
    }
    Ok(bytes)
}

/// Reads one byte more than `limit` at most; the size of a file that has one.
fn read_most(file: &Path, limit: usize, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    if file.as_os_str() == STDIN {
        io::stdin().lock().take(most).read_to_end(bytes)?;
        return Ok(None);
    }
    let file = File::open(file)?;
    let metadata = file.metadata()?;
    file.take(most).read_to_end(bytes)?;
    Ok(metadata.is_file().then_some(metadata.len()))
}
