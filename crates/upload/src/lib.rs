//! A request body → the bytes of one image file. Three forms (`multipart/form-data`,
//! `application/x-www-form-urlencoded`, `application/json`), read as a stream.
//!
//! [`Form`] is a push parser without I/O: bytes in, [`Upload`] or [`UploadError`] out. Everything
//! that only the end of the body can settle (a missing or second image, bad base64) is decided in
//! [`Form::finish`]; a size limit is decided at the byte that breaks it.
#![forbid(unsafe_code)]

mod base64;
mod error;
mod fields;
mod form;
mod json;
mod multipart;
mod urlencoded;

pub use error::UploadError;
pub use fields::{Upload, details_flag};
pub use form::{Form, body_limit};
