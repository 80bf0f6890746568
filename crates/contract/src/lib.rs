//! What the API says: error codes, the bodies of answers, and the row of text that stands for one photo.
//! The HTTP service, the command line and the Python module all speak from here.
//!
//! Plain data: nothing here decides anything. With the feature `openapi`, each body has its JSON Schema
//! (`utoipa::ToSchema`), from which the server makes its OpenAPI document.
#![forbid(unsafe_code)]

mod answers;
mod error_code;
#[cfg(feature = "openapi")]
pub mod openapi;
mod row;

pub use answers::{Failure, Health, HealthStatus, LogStatus, Session};
pub use error_code::ErrorCode;
pub use row::{FileName, Row};
