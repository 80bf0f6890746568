//! Answers for sandbox keys: the request is parsed and checked as ever, then a header names the
//! answer and no photo is judged.

use axum::http::{HeaderMap, StatusCode};
use livecheck_contract::ErrorCode;
use livecheck_engine::{BBox, Details, Face, ImageInfo, Quality, Thresholds, Timings};

use crate::check::judge::Judge;
use crate::error::ApiError;

/// Names the answer.
pub(crate) const HEADER: &str = "x-livecheck-sandbox";

/// The answer that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Live,
    Attack,
    Review,
    Error(ErrorCode),
    /// `005` with 429, as beyond a key's rate limit.
    TooManyRequests,
    /// `005` with 503, as from an overloaded server.
    Overloaded,
}

impl Scenario {
    /// The scenario that the header names; a live person without it.
    ///
    /// # Errors
    /// `004`: it names none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self::Live);
        };
        let only = values.next().is_none();
        let text = value.to_str().unwrap_or_default().trim();
        let named = match text {
            "live" => Some(Self::Live),
            "attack" => Some(Self::Attack),
            "review" => Some(Self::Review),
            "429" => Some(Self::TooManyRequests),
            "503" => Some(Self::Overloaded),
            code => ErrorCode::from_digits(code).map(Self::Error),
        };
        named.filter(|_| only).ok_or_else(|| {
            let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
            ApiError::new(
                ErrorCode::BadRequest,
                format!(
                    "the header {HEADER} must be sent once and name the response: live, attack, review, {}, 429 or 503",
                    codes.join(", ")
                ),
            )
        })
    }

    /// Whether a photo that gets this answer counts as judged, and so uses up a session.
    pub(crate) fn is_counted(self) -> bool {
        use ErrorCode as E;
        match self {
            Self::Live | Self::Attack | Self::Review => true,
            Self::Error(code) => {
                matches!(code, E::ResolutionTooLow | E::FaceCount | E::FaceMask)
            }
            Self::TooManyRequests | Self::Overloaded => false,
        }
    }

    /// The score of the answer.
    ///
    /// # Errors
    /// The error that was asked for.
    pub(crate) fn score(self, thresholds: &Thresholds) -> Result<f32, ApiError> {
        let Thresholds {
            liveness, review, ..
        } = *thresholds;
        let retry_soon = |status| {
            ApiError::unavailable(format!(
                "the sandbox was asked for HTTP {status}: try again after the time in Retry-After"
            ))
        };
        match self {
            Self::Live => Ok(rounded(f32::midpoint(liveness, 1.0))),
            Self::Review => Ok(rounded(f32::midpoint(review.unwrap_or(liveness), liveness))),
            Self::Attack => Ok(rounded(review.unwrap_or(liveness).min(liveness) / 10.0)),
            Self::Error(code) => Err(ApiError::new(
                code,
                format!("the sandbox was asked for {}", code.code()),
            )),
            Self::TooManyRequests => {
                Err(retry_soon(429).with_status(StatusCode::TOO_MANY_REQUESTS))
            }
            Self::Overloaded => Err(retry_soon(503)),
        }
    }
}

/// To four decimals.
fn rounded(score: f32) -> f32 {
    (score * 1e4).round() / 1e4
}

/// Details that look like a judgement's: a face in the middle of the image that was sent.
pub(crate) fn details(judge: &dyn Judge, image: ImageInfo, thresholds: Thresholds) -> Details {
    #[expect(clippy::cast_precision_loss, reason = "sides of an image")]
    let (width, height) = (image.width as f32, image.height as f32);
    let at = |x: f32, y: f32| [width * x, height * y];
    Details {
        face: Face {
            bbox: BBox {
                x0: width * 0.25,
                y0: height * 0.25,
                x1: width * 0.75,
                y1: height * 0.75,
            },
            landmarks: [
                at(0.4, 0.4),
                at(0.6, 0.4),
                at(0.5, 0.5),
                at(0.4, 0.6),
                at(0.6, 0.6),
            ],
            score: 0.99,
        },
        mask_score: 0.01,
        attack_score: 0.01,
        image,
        quality: Quality {
            face_share: 0.5,
            brightness: 0.5,
            contrast: 0.2,
            sharpness: 100.0,
        },
        thresholds,
        models: judge.models(),
        runtime: judge.runtime(),
        timings: Timings::default(),
        findings: Some(Vec::new()),
    }
}
