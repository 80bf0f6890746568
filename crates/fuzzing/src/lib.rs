//! What the fuzz targets in `fuzz/` call: one function a target, which takes any bytes and panics
//! when the code under test breaks a promise. The targets, and the test that replays their corpus,
//! are nothing but calls of these.

mod base64;
mod borders;
mod exif;
mod images;
pub mod seeds;
mod session;
mod upload;

pub use self::base64::base64;
pub use borders::borders;
pub use exif::exif;
pub use images::{decode, engine, large_jpeg};
pub use session::session;
pub use upload::upload;

/// A fuzz target: its name, which is that of its corpus folder, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("decode", decode),
    ("upload", upload),
    ("base64", base64),
    ("exif", exif),
    ("borders", borders),
    ("engine", engine),
    ("large_jpeg", large_jpeg),
    ("session", session),
];
