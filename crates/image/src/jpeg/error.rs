//! Why a file is not read.

/// Why a file is not read: `002`, with the reason.
pub(super) struct Unreadable(pub(super) String);

pub(super) fn damaged(how: &str) -> Unreadable {
    Unreadable(format!("the JPEG is damaged: {how}"))
}
