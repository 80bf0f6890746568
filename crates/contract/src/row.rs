//! One photo as one row of text: what `livecheck check --format csv` writes and what the Python
//! module puts into a table.

use std::{borrow::Cow, fmt::Write as _, path::Path};

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;

/// A file's name as results give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileName {
    /// As text, with U+FFFD for what is not UTF-8.
    pub file: String,
    /// All bytes as hexadecimal digits, of a name that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_hex: Option<String>,
}

impl FileName {
    /// The name of this file, as it was given.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        Self {
            file: file.display().to_string(),
            file_hex: file.to_str().is_none().then(|| {
                let bytes = file.as_os_str().as_encoded_bytes();
                bytes.iter().fold(String::new(), |mut hex, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                    hex
                })
            }),
        }
    }
}

/// The outcome of one photo, flat.
///
/// ```
/// use livecheck_contract::{ErrorCode, Row};
///
/// let row = Row::new(None, Err((ErrorCode::UnreadableImage, "the file is empty".to_owned())));
/// assert_eq!(row.error_code, Some("002"));
/// assert_eq!(row.fields()[7], "the file is empty");
/// assert_eq!(Row::COLUMNS.len(), row.fields().len());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which photo it is; `None` for a photo without a name.
    pub name: Option<FileName>,
    /// Whether there is a verdict.
    pub success: bool,
    /// Whether the face is a live person's, of a verdict.
    pub liveness: Option<bool>,
    /// Confidence that it is, 0 to 1, of a verdict.
    pub score: Option<f32>,
    /// The three digits of the error code, of a rejection.
    pub error_code: Option<&'static str>,
    /// The text that goes with the code.
    pub error_message: Option<&'static str>,
    /// The rejection in one sentence, with the figures.
    pub error_detail: Option<String>,
}

impl Row {
    /// Names of the columns.
    pub const COLUMNS: [&str; 8] = [
        "file",
        "file_hex",
        "success",
        "liveness",
        "score",
        "error_code",
        "error_message",
        "error_detail",
    ];

    /// The row of a photo: whether it is live and its score, or the error code with its detail.
    #[must_use]
    pub fn new(name: Option<FileName>, outcome: Result<(bool, f32), (ErrorCode, String)>) -> Self {
        let (verdict, rejection) = match outcome {
            Ok(verdict) => (Some(verdict), None),
            Err(rejection) => (None, Some(rejection)),
        };
        let code = rejection.as_ref().map(|(code, _)| *code);
        Self {
            name,
            success: verdict.is_some(),
            liveness: verdict.map(|(live, _)| live),
            score: verdict.map(|(_, score)| score),
            error_code: code.map(ErrorCode::code),
            error_message: code.map(ErrorCode::message),
            error_detail: rejection.map(|(_, detail)| detail),
        }
    }

    /// The row as text, in the order of [`Row::COLUMNS`]; empty where there is nothing.
    #[must_use]
    pub fn fields(&self) -> [Cow<'_, str>; 8] {
        let name = self.name.as_ref();
        let optional = |text: Option<&'static str>| Cow::Borrowed(text.unwrap_or_default());
        [
            name.map_or_else(Cow::default, |name| Cow::from(&name.file)),
            name.and_then(|name| name.file_hex.as_deref())
                .map_or_else(Cow::default, Cow::from),
            self.success.to_string().into(),
            text(self.liveness),
            text(self.score),
            optional(self.error_code),
            optional(self.error_message),
            self.error_detail
                .as_deref()
                .map_or_else(Cow::default, Cow::from),
        ]
    }
}

fn text<T: ToString>(value: Option<T>) -> Cow<'static, str> {
    value.map_or_else(Cow::default, |value| Cow::from(value.to_string()))
}
