//! Refuses lines of an HTTP/1 head that end in a bare line feed, and heads that are too large.
//!
//! hyper takes such a line; a proxy before it may take it for a part of the line before, and the two then
//! read different requests. Here the line feed is replaced by a byte that no head may hold, so that hyper
//! answers 400 once a proper blank line follows, and waits for one until `header_timeout` is over. What comes behind heads is left alone: bodies are skipped by their length, and behind a
//! body in chunks no further request is read.
//!
//! hyper reads bodies into the buffer that bounds heads. That is larger than a head may be, so these are counted
//! here, and spoilt in the same way when there are too many bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Most bytes of a line that are looked at; `Content-Length` is shorter.
const LONGEST: usize = 256;

/// What takes the place of a bare line feed.
const FORBIDDEN: u8 = 0;

/// What an HTTP/2 connection begins with.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

pub(super) struct StrictLines<S> {
    stream: S,
    scan: Scan,
    /// Most bytes of a head, and whether one had more.
    largest: usize,
    too_large: Arc<AtomicBool>,
}

impl<S> StrictLines<S> {
    pub(super) fn new(stream: S, largest: usize, too_large: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            scan: Scan::default(),
            largest,
            too_large,
        }
    }
}

impl<S> StrictLines<S> {
    /// The stream itself, to write to.
    pub(super) fn stream(&mut self) -> Pin<&mut S>
    where
        S: Unpin,
    {
        Pin::new(&mut self.stream)
    }

    /// Whether a request has been read to its end, and nothing of the next.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.scan.place, Place::Head) && self.scan.lines == 0 && self.scan.length == 0
    }
}

#[derive(Default)]
struct Scan {
    place: Place,
    /// The start of the line, and how long it is.
    line: Vec<u8>,
    length: usize,
    after_return: bool,
    /// Bytes of the head.
    bytes: usize,
    /// Lines of it that have ended.
    lines: usize,
    /// Bytes of the body that the head announces.
    body: u64,
    /// Whether the end of the body can't be told from the head.
    endless: bool,
}

#[derive(Default)]
enum Place {
    #[default]
    Head,
    /// So many bytes are left of the body.
    Body(u64),
    /// Nothing is looked at any more.
    Beyond,
}

impl Scan {
    /// Answers whether a head has more than `largest` bytes.
    fn look_at(&mut self, mut bytes: &mut [u8], largest: usize) -> bool {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Beyond => return false,
                Place::Body(left) => {
                    let skipped =
                        usize::try_from(*left).map_or(bytes.len(), |l| l.min(bytes.len()));
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                    bytes = &mut bytes[skipped..];
                }
                Place::Head => {
                    let [byte, rest @ ..] = bytes else {
                        return false;
                    };
                    self.bytes += 1;
                    if self.bytes > largest {
                        *byte = FORBIDDEN;
                        self.place = Place::Beyond;
                        return true;
                    }
                    self.head(byte);
                    bytes = rest;
                }
            }
        }
        false
    }

    fn head(&mut self, byte: &mut u8) {
        if *byte != b'\n' {
            self.after_return = *byte == b'\r';
            if self.line.len() < LONGEST {
                self.line.push(*byte);
            }
            self.length += 1;
            return;
        }
        if !self.after_return {
            *byte = FORBIDDEN;
            self.place = Place::Beyond;
            return;
        }
        self.after_return = false;
        let blank = self.length == 1;
        if blank && self.lines > 0 {
            let (body, endless) = (self.body, self.endless);
            *self = Self::default();
            self.place = match (endless, body) {
                (true, _) => Place::Beyond,
                (false, 0) => Place::Head,
                (false, body) => Place::Body(body),
            };
            return;
        }
        // Blank lines before a request are allowed.
        if !blank {
            self.read_line();
            self.lines += 1;
        }
        self.line.clear();
        self.length = 0;
    }

    fn read_line(&mut self) {
        let line = self.line.trim_ascii_end();
        if self.lines == 0 {
            if line == HTTP2 {
                self.place = Place::Beyond;
            }
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.endless = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let whole = self.length <= LONGEST;
            let text = std::str::from_utf8(value).ok().filter(|_| whole);
            match text.and_then(|text| text.parse().ok()) {
                Some(bytes) => self.body = bytes,
                // hyper refuses it.
                None => self.endless = true,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictLines<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Self {
            scan,
            largest,
            too_large,
            ..
        } = &mut *self;
        if matches!(read, Poll::Ready(Ok(())))
            && scan.look_at(&mut buffer.filled_mut()[before..], *largest)
        {
            too_large.store(true, Ordering::Release);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the bytes come in pieces of this size.
    fn through(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut scan = Scan::default();
        let mut out = bytes.to_vec();
        for piece in out.chunks_mut(size) {
            assert!(!scan.look_at(piece, 1000));
        }
        out
    }

    #[test]
    fn every_byte_of_a_head_counts_and_none_of_a_body() {
        let head = b"POST / HTTP/1.1\r\nx:      y\r\ncontent-length: 90\r\n\r\n";
        let request = [&head[..], &[b'z'; 90]].concat();
        let two = [&request[..], &request].concat();
        for size in 1..two.len() {
            for (largest, fits) in [(head.len(), true), (head.len() - 1, false)] {
                let mut scan = Scan::default();
                let mut out = two.clone();
                let too_large = out
                    .chunks_mut(size)
                    .any(|piece| scan.look_at(piece, largest));
                assert_eq!((too_large, out == two), (!fits, fits), "pieces of {size}");
            }
        }
    }

    #[test]
    fn only_bare_line_feeds_of_heads_are_replaced() {
        let good: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length:  5 \r\n\r\na\nb\ncGET / HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\n\n\r\n0\r\n\r\n\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n",
        ];
        for (bytes, size) in good.into_iter().flat_map(|b| (1..9).map(move |s| (b, s))) {
            assert_eq!(through(bytes, size), bytes);
        }
        let bad: [&[u8]; 6] = [
            b"GET / HTTP/1.1\nhost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\nx: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\n\n",
            b"\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na\nbGET / HTTP/1.1\nhost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\n",
        ];
        for (bytes, size) in bad.into_iter().flat_map(|b| (1..9).map(move |s| (b, s))) {
            let out = through(bytes, size);
            assert_eq!(out.iter().filter(|byte| **byte == FORBIDDEN).count(), 1);
        }
    }
}
