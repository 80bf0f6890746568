//! What the fuzz targets in `fuzz/` call: one function a target, which takes any bytes and panics
//! when the code under test breaks a promise. The targets, and the test that replays their corpus,
//! are nothing but calls of these. `engine` and `session` are features, because they need the nets, and the
//! server and the store.

mod base64;
mod borders;
#[cfg(feature = "engine")]
mod engine;
mod exif;
mod images;
pub mod seeds;
#[cfg(feature = "session")]
mod session;
mod upload;

pub use self::base64::base64;
pub use borders::borders;
#[cfg(feature = "engine")]
pub use engine::engine;
pub use exif::exif;
pub use images::{decode, large_jpeg};
#[cfg(feature = "session")]
pub use session::session;
pub use upload::upload;

/// A fuzz target: its name, which is that of its corpus folder, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("decode", decode),
    ("upload", upload),
    ("base64", base64),
    ("exif", exif),
    ("borders", borders),
    #[cfg(feature = "engine")]
    ("engine", engine),
    ("large_jpeg", large_jpeg),
    #[cfg(feature = "session")]
    ("session", session),
];
