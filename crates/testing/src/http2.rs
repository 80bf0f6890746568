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

/// Of any bytes, some that a careful server must refuse or bound: the same for the same seed.
///
/// Heads that go on for ever, streams that are reset as soon as they begin, windows that overflow or are
/// nothing, frames of wrong lengths, on wrong streams, in the wrong order, with compressed heads that mean
/// nothing, and noise.
#[derive(Debug, Clone)]
pub struct Hostile {
    state: u64,
    stream: u32,
}

impl Hostile {
    /// What a client with this seed sends.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            // Xorshift stays at zero for ever.
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            stream: 1,
        }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }

    fn number(&mut self, end: u32) -> u32 {
        u32::try_from(self.below(u64::from(end))).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }

    fn noise(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.byte()).collect()
    }

    /// The next stream, an old one, or one that no client may open.
    fn any_stream(&mut self) -> u32 {
        match self.below(8) {
            0 => 0,
            1 => self.number(1 << 31),
            2 => self.number(self.stream + 2),
            _ => self.next_stream(),
        }
    }

    fn next_stream(&mut self) -> u32 {
        self.stream += 2;
        self.stream - 2
    }

    /// What a connection begins with: mostly the right thing.
    pub fn beginning(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => self.noise(64),
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            2 => [preface(65_535), preface(65_535)].concat(),
            3 => preface(0),
            4 => preface(u32::MAX),
            _ => preface(65_535),
        }
    }

    /// What comes next.
    pub fn next_frames(&mut self) -> Vec<u8> {
        const CONTINUATION: u8 = 9;
        const PRIORITY: u8 = 2;
        const PUSH_PROMISE: u8 = 5;
        const PATHS: [&str; 4] = ["/healthz", "/openapi.json", "/nothing", "/session/"];
        let path = PATHS[usize::try_from(self.below(4)).unwrap_or_default()];
        match self.below(16) {
            // A head that goes on and on.
            0 => {
                let stream = self.next_stream();
                let mut frames =
                    frame(HEADERS, 0, stream, &request(1, true, "GET", path, &[])[9..]);
                for _ in 0..self.below(200) {
                    let field = [&[0, 1, b'x', 126][..], &[b'y'; 126]].concat();
                    let fields = field.repeat(usize::try_from(self.below(100)).unwrap_or_default());
                    frames.extend(frame(CONTINUATION, 0, stream, &fields));
                }
                frames
            }
            // The same with empty frames.
            1 => {
                let stream = self.next_stream();
                let mut frames = frame(HEADERS, 0, stream, &[]);
                frames.extend(frame(CONTINUATION, 0, stream, &[]).repeat(1000));
                frames
            }
            // Rapid reset.
            2 | 3 => (0..self.below(300))
                .flat_map(|_| {
                    let stream = self.next_stream();
                    let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
                    [get(stream, path), reset].concat()
                })
                .collect(),
            // Streams that overflow what may be open.
            4 => (0..self.below(100))
                .flat_map(|_| request(self.next_stream(), false, "POST", "/liveness/", &[]))
                .collect(),
            5 => {
                let stream = self.any_stream();
                let bytes = [0, 1, 65_535, (1 << 31) - 1, u32::MAX][self.number(5) as usize];
                window_update(stream, bytes).repeat(usize::try_from(self.below(50)).unwrap_or(1))
            }
            6 => {
                let id = u16::try_from(self.below(12)).unwrap_or_default();
                let value =
                    [0, 1, 2, 16_383, 1 << 24, (1 << 31) - 1, u32::MAX][self.number(7) as usize];
                let setting = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
                let count = usize::try_from(self.below(1000)).unwrap_or(1);
                frame(SETTINGS, 0, 0, &setting.repeat(count.min(2700)))
            }
            7 => frame(SETTINGS, 0, 0, &[]).repeat(usize::try_from(self.below(500)).unwrap_or(1)),
            8 => ping().repeat(usize::try_from(self.below(1000)).unwrap_or(1)),
            9 => {
                let (stream, payload) = (self.any_stream(), self.noise(20_000));
                frame(DATA, self.byte(), stream, &payload)
            }
            // A compressed head that means nothing, or a bomb: fields put into the table and named again.
            10 => {
                let (stream, payload) = (self.next_stream(), self.noise(400));
                frame(HEADERS, self.byte() | 4, stream, &payload)
            }
            11 => {
                let mut block = vec![0x40, 1, b'x', 126];
                block.extend([b'y'; 126]);
                block.extend([0xBE; 10_000]);
                frame(HEADERS, 5, self.next_stream(), &block)
            }
            12 => {
                let kind = [
                    PRIORITY,
                    RST_STREAM,
                    PUSH_PROMISE,
                    GOAWAY,
                    PING,
                    WINDOW_UPDATE,
                ][self.number(6) as usize];
                let (flags, stream, payload) = (self.byte(), self.any_stream(), self.noise(40));
                frame(kind, flags, stream, &payload)
            }
            // A length that is not true, or larger than any that may be sent.
            13 => {
                let mut frame = frame(self.byte(), self.byte(), 1, &[]);
                frame[0] = self.byte();
                frame[1] = self.byte();
                frame.extend(self.noise(300));
                frame
            }
            14 => self.noise(200),
            _ => get(self.next_stream(), path),
        }
    }
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
