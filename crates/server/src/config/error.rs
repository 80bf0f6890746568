//! Why the settings cannot be used.

use thiserror::Error;

/// Why the settings cannot be used; one sentence that names the setting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the settings file {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML.
    #[error(
        "the settings file {path}, is not TOML: {reason}; allowed are lines such as `min_face_side = 96` and `listen = \"0.0.0.0:8080\"`, and comments after #"
    )]
    NotToml {
        /// The file.
        path: String,
        /// What the parser said.
        reason: String,
    },
    /// A table.
    #[error(
        "{origin} starts the section [{name}], but settings have no sections: write `{example} = ...` above it"
    )]
    Section {
        /// Where it stands.
        origin: String,
        /// The section.
        name: String,
        /// A setting of it.
        example: String,
    },
    /// No setting has this name.
    #[error("{origin} sets the unknown setting {name:?}{hint}")]
    Unknown {
        /// Where it stands.
        origin: String,
        /// The name.
        name: String,
        /// ` (did you mean …?)`, or nothing.
        hint: String,
    },
    /// A value is not allowed.
    #[error("{origin} sets {name} to {value:?}; allowed is {allowed}")]
    NotAllowed {
        /// Where it stands.
        origin: String,
        /// The setting.
        name: String,
        /// The value, `[redacted]` for a secret.
        value: String,
        /// The allowed values in words.
        allowed: String,
    },
    /// The calibration file cannot be used.
    #[error("the calibration file {path} cannot be used: {reason}")]
    Calibration {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file with a secret cannot be used.
    #[error("{setting} {path}: {reason}")]
    SecretFile {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: String,
        /// Why, without what it holds.
        reason: String,
    },
    /// Two settings do not go together.
    #[error("{0}")]
    Conflict(String),
}
