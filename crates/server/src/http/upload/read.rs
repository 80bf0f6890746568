//! Feeds a [`Form`] from a network body: with time limits, and within the memory for uploads.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use livecheck_upload::{Form, Upload, UploadError, body_limit};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::{Reserved, SMALL_BODY};

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Most bytes of the image file.
    pub file_bytes: usize,
    /// Longest silence between two pieces of the body.
    pub idle: Duration,
    /// Least bytes a second, on average over each `idle` period.
    pub bytes_per_second: u32,
    /// Longest time for the whole body.
    pub total: Duration,
    /// Most bytes of the body that the connection holds before they are read.
    pub window: usize,
}

/// Why no upload came of a body.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The body is wrong.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The client was silent or too slow (HTTP 408).
    #[error("{0}")]
    TooSlow(String),
    /// The connection broke, or the transfer encoding is wrong.
    #[error("the request body could not be received completely")]
    Broken,
    /// All memory for uploads is taken (HTTP 503).
    #[error("the server is busy receiving other images: try again shortly")]
    NoMemory,
}

/// Reads the whole body. One that is or becomes larger than [`SMALL_BODY`] first waits until there is
/// memory for all of it, at most `idle`.
///
/// # Errors
/// See [`ReadError`]. A `Content-Length` above every allowed body is an error before anything is
/// read.
pub async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: &ReadLimits,
    memory: &mut Reserved,
) -> Result<Upload, ReadError> {
    let limit = body_limit(limits.file_bytes);
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(UploadError::BodyTooLarge { limit }.into());
    }
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let mut form = Form::new(
        values(CONTENT_TYPE),
        values(CONTENT_ENCODING),
        limits.file_bytes,
    )?;
    if !memory.grow_to(limits.window) {
        return Err(ReadError::NoMemory);
    }
    if let Some(bytes) = announced.filter(|bytes| *bytes > SMALL_BODY) {
        wait_for_turn(&mut form, bytes, limits, memory).await?;
    }

    let started = Instant::now();
    let mut deadline = started + limits.total;
    let mut period = Period::new(started, limits);
    loop {
        let until = (Instant::now() + limits.idle).min(deadline).min(period.end);
        let Ok(frame) = timeout_at(until, body.frame()).await else {
            let now = Instant::now();
            if now >= deadline {
                return Err(ReadError::TooSlow(format!(
                    "the request body did not arrive within {} seconds",
                    limits.total.as_secs()
                )));
            }
            period.check(now, limits)?;
            continue;
        };
        let Some(frame) = frame else {
            return Ok(form.finish()?);
        };
        let frame = frame.map_err(|_| ReadError::Broken)?;
        if let Some(data) = frame.data_ref() {
            period.bytes += data.len() as u64;
            form.push(data)?;
            if form.received() > SMALL_BODY && !memory.is_large() {
                let asked = Instant::now();
                wait_for_turn(&mut form, limit, limits, memory).await?;
                // The client could send nothing meanwhile.
                let waited = asked.elapsed();
                deadline += waited;
                period.end += waited;
            } else if !memory.grow_to(form.memory() + limits.window) {
                return Err(ReadError::NoMemory);
            }
        }
        period.check(Instant::now(), limits)?;
    }
}

/// Waits for the memory that a large body of at most `bytes` takes.
async fn wait_for_turn(
    form: &mut Form,
    bytes: usize,
    limits: &ReadLimits,
    memory: &mut Reserved,
) -> Result<(), ReadError> {
    timeout(
        limits.idle,
        memory.turn(form.most_memory(bytes) + limits.window),
    )
    .await
    .map_err(|_| ReadError::NoMemory)?;
    form.expect(bytes);
    Ok(())
}

/// A stretch of `idle` length in which a fair number of bytes must arrive.
struct Period {
    end: Instant,
    bytes: u64,
}

impl Period {
    fn new(now: Instant, limits: &ReadLimits) -> Self {
        Self {
            end: now + limits.idle,
            bytes: 0,
        }
    }

    /// At the end of a period, begins the next or cuts the client off.
    fn check(&mut self, now: Instant, limits: &ReadLimits) -> Result<(), ReadError> {
        if now < self.end {
            return Ok(());
        }
        let least = limits.idle.as_secs().max(1) * u64::from(limits.bytes_per_second);
        if self.bytes < least.max(1) {
            return Err(ReadError::TooSlow(format!(
                "only {} bytes of the request body arrived within {} seconds; at least {} are expected",
                self.bytes,
                limits.idle.as_secs(),
                least.max(1)
            )));
        }
        *self = Self::new(now, limits);
        Ok(())
    }
}
