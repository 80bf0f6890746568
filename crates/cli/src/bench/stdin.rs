//! Photos one by one, as another program asks for them.

use std::{
    fs,
    io::{self, BufRead},
    time::Instant,
};

use anyhow::{Context, Result};
use livecheck_engine::Engine;
use serde_json::json;

use super::figures::Milliseconds;
use crate::stdout;

/// Reads names of files, one a line, until the input ends; each gets one line of JSON: the time
/// from the file's bytes in memory to the outcome, and what the outcome was.
pub(super) fn judge(engine: &Engine) -> Result<()> {
    for name in io::stdin().lock().lines() {
        let name = name.context("standard input cannot be read")?;
        let file = fs::read(&name).with_context(|| format!("{name} cannot be read"))?;
        let started = Instant::now();
        let outcome = engine.check(&file);
        let total = Milliseconds::since(started);
        let answer = match outcome {
            Ok(verdict) => json!({
                "file": name,
                "total_ms": total,
                "live": verdict.live,
                "score": verdict.score,
                "details": verdict.details,
            }),
            Err(rejection) => json!({
                "file": name,
                "total_ms": total,
                "error_code": rejection.code(),
            }),
        };
        stdout::write(format!("{answer}\n"))?;
    }
    Ok(())
}
