//! Gives the answers that hyper writes on its own (a head too large, or no HTTP at all) the body
//! that every failed request has.
//!
//! hyper answers such requests with a bare head before any service sees them, and has no hook for
//! it. Here they are known by being a `4xx` head that no request of the service is owed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use livecheck_contract::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::ApiError;
use crate::http::request_id::random_id;

pub(super) struct ErrorHeads<S> {
    stream: S,
    /// Answers that the service has still to give on HTTP/1.
    owed: Arc<AtomicUsize>,
    /// Whether a head was spoilt because it is too large.
    too_large: Arc<AtomicBool>,
    /// What is written in place of hyper's head, and how much of it is.
    substitute: Vec<u8>,
    written: usize,
}

impl<S: AsyncWrite + Unpin> ErrorHeads<S> {
    pub(super) fn new(stream: S, owed: Arc<AtomicUsize>, too_large: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            owed,
            too_large,
            substitute: Vec::new(),
            written: 0,
        }
    }

    fn poll_substitute(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.substitute.len() {
            let rest = &self.substitute[self.written..];
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether these bytes are the head of a final answer to a request of the service.
    fn settle(&self, bytes: &[u8]) -> bool {
        if !bytes.starts_with(b"HTTP/1.") || bytes.get(9) == Some(&b'1') {
            return true;
        }
        self.owed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| {
                owed.checked_sub(1)
            })
            .is_ok()
    }
}

/// The status of a bare `4xx` head.
fn bare_error(bytes: &[u8]) -> Option<StatusCode> {
    let is_bare = bytes.ends_with(b"\r\n\r\n") && bytes.get(9) == Some(&b'4');
    is_bare
        .then(|| StatusCode::from_bytes(bytes.get(9..12)?).ok())
        .flatten()
}

fn answer(status: StatusCode) -> Vec<u8> {
    let detail = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the request's headers are larger than the server accepts: send fewer or shorter headers"
        }
        StatusCode::URI_TOO_LONG => "the request's address is longer than the server accepts",
        _ => "the request is not valid HTTP",
    };
    let error = ApiError::new(ErrorCode::BadRequest, detail).with_status(status);
    let body = serde_json::to_string(&error.body()).unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-request-id: {}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n{body}",
        body.len(),
        random_id().to_str().unwrap_or("none"),
    )
    .into_bytes()
}

impl<S: AsyncRead + Unpin> AsyncRead for ErrorHeads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ErrorHeads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_substitute(context))?;
        if let Some(status) = bare_error(bytes)
            && self.owed.load(Ordering::Acquire) == 0
        {
            let status = match self.too_large.load(Ordering::Acquire) {
                true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                false => status,
            };
            tracing::info!(
                status = status.as_u16(),
                "responded to a request without valid headers"
            );
            self.substitute = answer(status);
            self.written = 0;
            return Poll::Ready(Ok(bytes.len()));
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        if count > 0 {
            self.settle(bytes);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_substitute(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_substitute(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
