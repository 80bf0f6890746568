//! As much of an HTTP/1.1 client as a load generator needs: one request at a time on a connection
//! that is kept, the answer read also while the request is still being sent.

use std::{io, net::SocketAddr, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The error code; empty on success.
    pub(crate) code: String,
    /// Whether it says when to try again.
    pub(crate) retry_after: bool,
    /// Whether the connection is of no further use.
    closes: bool,
}

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Received beyond the last answer.
    ahead: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::new(),
        })
    }

    /// Sends a request and reads its answer; gives the connection back when it can be used again.
    pub(crate) async fn exchange(mut self, request: &[u8]) -> io::Result<(Answer, Option<Self>)> {
        let (mut reader, mut writer) = self.stream.split();
        let mut answer = {
            let mut reading = pin!(read(&mut reader, &mut self.ahead));
            let mut writing = pin!(writer.write_all(request));
            let sent = tokio::select! {
                biased;
                answer = &mut reading => Err(answer?),
                result = &mut writing => Ok(result),
            };
            match sent {
                Ok(Ok(())) => reading.await?,
                // The server may have answered and closed before it had read everything.
                Ok(Err(_)) => Answer {
                    closes: true,
                    ..reading.await?
                },
                Err(answer) => Answer {
                    closes: true,
                    ..answer
                },
            }
        };
        let closes = std::mem::take(&mut answer.closes);
        Ok((answer, (!closes).then_some(self)))
    }
}

/// Reads one answer; what came beyond it stays in `ahead`.
pub(crate) async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    ahead: &mut Vec<u8>,
) -> io::Result<Answer> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let mut piece = [0; 16 * 1024];
    let mut more = async |ahead: &mut Vec<u8>| match reader.read(&mut piece).await? {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        count => {
            ahead.extend_from_slice(&piece[..count]);
            Ok(())
        }
    };
    let head_length = loop {
        let found = ahead.windows(HEAD_END.len()).position(|at| at == HEAD_END);
        match found {
            Some(at) => break at + HEAD_END.len(),
            None => more(ahead).await?,
        }
    };
    let head = String::from_utf8_lossy(&ahead[..head_length]).to_lowercase();
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, head.clone());
    let status = head.get(9..12).and_then(|text| text.parse().ok());
    let length = header("content-length").and_then(|text| text.parse::<usize>().ok());
    let end = head_length + length.ok_or_else(invalid)?;
    while ahead.len() < end {
        more(ahead).await?;
    }
    let body = String::from_utf8_lossy(&ahead[head_length..end]).into_owned();
    let code = body
        .split_once("\"error_code\":\"")
        .and_then(|(_, rest)| rest.get(..3))
        .unwrap_or_default();
    let answer = Answer {
        status: status.ok_or_else(invalid)?,
        code: code.to_owned(),
        retry_after: header("retry-after").is_some(),
        closes: header("connection").is_some_and(|value| value == "close"),
    };
    ahead.drain(..end);
    Ok(answer)
}
