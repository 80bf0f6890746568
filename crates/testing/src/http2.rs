//! HTTP/2 frames as bytes, for clients that no library would be: they announce a window of zero, never
//! read, or send nothing but pings.

/// Frame types (RFC 9113).
pub const DATA: u8 = 0;
/// See [`DATA`].
pub const HEADERS: u8 = 1;
/// See [`DATA`].
pub const RST_STREAM: u8 = 3;
/// See [`DATA`].
pub const SETTINGS: u8 = 4;
/// See [`DATA`].
pub const PING: u8 = 6;
/// See [`DATA`].
pub const GOAWAY: u8 = 7;
/// See [`DATA`].
pub const WINDOW_UPDATE: u8 = 8;

/// The flag of the last frame of a stream, on [`HEADERS`] and [`DATA`].
pub const END_STREAM: u8 = 1;

/// The setting that bounds how many streams may be open.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
/// The setting of how much may be sent on a new stream.
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// Bytes of a frame before its payload.
pub const FRAME_HEAD: usize = 9;

/// One frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a client sends first: it lets the server send `window` bytes on each stream.
#[must_use]
pub fn preface(window: u32) -> Vec<u8> {
    let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    setting.extend(window.to_be_bytes());
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(frame(SETTINGS, 0, 0, &setting));
    preface
}

/// The head of a request with these fields, each literal and added to no table.
#[must_use]
pub fn request(
    stream: u32,
    ends: bool,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Vec<u8> {
    const END_HEADERS: u8 = 4;
    let mut block = Vec::new();
    let pseudo = [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
    ];
    for (name, value) in pseudo.iter().chain(fields) {
        // A literal field without indexing, with a literal name.
        block.push(0);
        for text in [name, value] {
            // Seven bits of a length; longer ones are never sent here.
            block.push(u8::try_from(text.len().min(126)).unwrap_or(126));
            block.extend(text.bytes().take(126));
        }
    }
    let end = if ends { END_STREAM } else { 0 };
    frame(HEADERS, END_HEADERS | end, stream, &block)
}

/// A whole request without a body.
#[must_use]
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    request(stream, true, "GET", path, &[])
}

/// Lets the server send `bytes` more on a stream, or on the connection (stream 0).
#[must_use]
pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// A question whether the other side is there.
#[must_use]
pub fn ping() -> Vec<u8> {
    frame(PING, 0, 0, &[0; 8])
}

/// A frame as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0: the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Takes the first whole frame out of what was received.
    pub fn take(received: &mut Vec<u8>) -> Option<Self> {
        let head: [u8; FRAME_HEAD] = received.get(..FRAME_HEAD)?.try_into().ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let payload = received.get(FRAME_HEAD..FRAME_HEAD + length)?.to_vec();
        received.drain(..FRAME_HEAD + length);
        Some(Self {
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
            payload,
        })
    }

    /// The value of a setting in a [`SETTINGS`] frame.
    #[must_use]
    pub fn setting(&self, wanted: u16) -> Option<u32> {
        self.payload
            .as_chunks()
            .0
            .iter()
            .find_map(|entry: &[u8; 6]| {
                let [high, low, value @ ..] = *entry;
                (u16::from_be_bytes([high, low]) == wanted).then(|| u32::from_be_bytes(value))
            })
    }
}
