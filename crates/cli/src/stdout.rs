//! Standard output, whose reader may go away at any time (`livecheck check … | head -1`).

use std::io::{self, Write};

use anyhow::{Context, Result};

/// The reader of standard output went away: the end of the run, and nothing to complain about.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed by its reader")]
pub(crate) struct ReaderGone;

/// Writes all of it at once.
///
/// # Errors
/// [`ReaderGone`], or that standard output cannot be written.
pub(crate) fn write(text: impl AsRef<[u8]>) -> Result<()> {
    write_to(&mut io::stdout().lock(), text.as_ref())
}

/// As `write`; colours stay where a terminal shows them and NO_COLOR does not forbid them.
pub(crate) fn write_coloured(text: impl AsRef<[u8]>) -> Result<()> {
    write_to(&mut anstream::stdout().lock(), text.as_ref())
}

fn write_to(out: &mut impl Write, text: &[u8]) -> Result<()> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("standard output cannot be written"),
    }
}
