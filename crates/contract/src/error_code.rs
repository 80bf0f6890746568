//! The error codes of the API.

/// The error codes of the API, shared by HTTP, the command line, documents and tests.
///
/// The numbers and the messages are part of the public contract and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `001`: the API key is missing, unknown, expired or revoked.
    ApiKey,
    /// `061`: the session token is missing, unknown, expired or another key's.
    SessionNotFound,
    /// `062`: the session token has no use left.
    SessionLimit,
    /// `002`: the bytes are not a readable image.
    UnreadableImage,
    /// `003`: the file has too many bytes or too many pixels.
    ImageTooLarge,
    /// `004`: the request itself is malformed.
    BadRequest,
    /// `005`: the service failed, or is overloaded.
    Internal,
    /// `007`: the image or the face has too few pixels.
    ResolutionTooLow,
    /// `051`: the number of faces is not one.
    FaceCount,
    /// `052`: a face covering is worn.
    FaceMask,
}

impl ErrorCode {
    /// Every code, in the order of the public table.
    pub const ALL: [Self; 10] = [
        Self::ApiKey,
        Self::SessionNotFound,
        Self::SessionLimit,
        Self::UnreadableImage,
        Self::ImageTooLarge,
        Self::BadRequest,
        Self::Internal,
        Self::ResolutionTooLow,
        Self::FaceCount,
        Self::FaceMask,
    ];

    /// The code of these three digits.
    ///
    /// ```
    /// use livecheck_contract::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::from_digits("051"), Some(ErrorCode::FaceCount));
    /// assert_eq!(ErrorCode::from_digits("006"), None);
    /// ```
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.code() == digits)
    }

    /// The three digits of `error_code`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The text of `error_message`.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().2
    }

    /// The HTTP status this code is answered with unless the case at hand says otherwise
    /// (405 and 415 for `004`, 503 and 429 for `005`).
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.row().1
    }

    /// The one table of codes: digits, HTTP status, message.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::ApiKey => ("001", 401, "API key is either missing or incorrect."),
            Self::SessionNotFound => ("061", 401, "Session key is not found, please try again."),
            Self::SessionLimit => ("062", 429, "Session key limit reached, please try restart."),
            Self::UnreadableImage => (
                "002",
                400,
                "Error reading image, please check the request format.",
            ),
            Self::ImageTooLarge => ("003", 413, "Image file size is too large."),
            Self::BadRequest => ("004", 400, "Request is not in the correct format."),
            Self::Internal => ("005", 500, "Server internal error, please try again."),
            Self::ResolutionTooLow => ("007", 422, "Image resolution too low!"),
            Self::FaceCount => (
                "051",
                422,
                "No face, or more than one face is detected in the selfie.",
            ),
            Self::FaceMask => (
                "052",
                422,
                "Face mask is detected, please remove the face mask and try again.",
            ),
        }
    }
}
