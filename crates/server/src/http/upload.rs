//! Receives request bodies: [`read`] feeds the parser of `livecheck-upload` from a network body, with time
//! limits and within the server's memory for uploads.

mod budget;
mod read;

pub use budget::{HTTP2_STREAM_WINDOW, Reserved, SMALL_BODY, UploadMemory, least_memory};
pub use read::{ReadError, ReadLimits, read};
