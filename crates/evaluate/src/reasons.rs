//! Why presentations got no verdict, in few words that name the setting.

use std::collections::BTreeMap;

use livecheck_engine::Rejection;
use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Record};

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The error code, or a word of another system.
    pub code: String,
    /// In words, with the figures: `image side 240 < 320: --min-image-side`. Empty for an unknown code.
    pub words: String,
    /// Presentations refused for it.
    pub count: u64,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)?;
        if self.words.is_empty() {
            return Ok(());
        }
        write!(f, ", {}", self.words)
    }
}

/// What is alike in refusals that are counted together: the code and the words around the figure.
type Kind = (String, &'static str, String);

/// How often, and the least and the largest figure.
type Seen = (u64, u32, u32);

/// Counts reasons.
#[derive(Debug, Default)]
pub struct Reasons(BTreeMap<Kind, Seen>);

impl Reasons {
    /// Counts a refusal by the engine.
    pub fn add(&mut self, rejection: &Rejection) {
        let code = rejection.code();
        match rejection {
            Rejection::ImageTooSmall {
                width,
                height,
                min_side,
            } => {
                let after = format!("< {min_side}: --min-image-side");
                self.count(code, "image side", after, (*width).min(*height));
            }
            Rejection::ContentTooSmall {
                width,
                height,
                min_side,
            } => {
                let after = format!("< {min_side}: --min-image-side");
                let side = (*width).min(*height);
                self.count(code, "image side without its border", after, side);
            }
            Rejection::FaceTooSmall { width, min_side } => {
                let after = format!("< {min_side}: --min-face-side");
                self.count(code, "face width", after, *width);
            }
            Rejection::FaceCount {
                scores, threshold, ..
            } => {
                let after = format!("at {threshold:.2}: --face-threshold");
                let faces = u32::try_from(scores.len()).unwrap_or(u32::MAX);
                let before = if faces == 0 { "no face" } else { "faces:" };
                self.count(code, before, after, faces);
            }
            Rejection::FaceCutOff { .. } => {
                self.count(code, "face cut off at an edge", String::new(), 0);
            }
            Rejection::FaceMask { threshold, .. } => {
                let after = format!("at {threshold:.2}: --mask-threshold");
                self.count(code, "face covering", after, 0);
            }
            _ => self.count(code, code_words(code), String::new(), 0),
        }
    }

    /// Counts the codes of records, of which nothing more is known.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut reasons = Self::default();
        for record in records {
            if let Outcome::NoResponse(code) = &record.outcome {
                reasons.count(code, code_words(code), String::new(), 0);
            }
        }
        reasons
    }

    fn count(&mut self, code: &str, before: &'static str, after: String, figure: u32) {
        let kind = (code.to_owned(), before, after);
        let (count, least, most) = self.0.entry(kind).or_insert((0, figure, figure));
        *count += 1;
        *least = (*least).min(figure);
        *most = (*most).max(figure);
    }

    /// The commonest first.
    #[must_use]
    pub fn list(self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .0
            .into_iter()
            .map(|((code, before, after), (count, least, most))| {
                let figure = match (least, most) {
                    (_, 0) => String::new(),
                    (least, most) if least == most => least.to_string(),
                    (least, most) => format!("{least} to {most}"),
                };
                let words = [before, &figure, &after]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>();
                Reason {
                    code,
                    words: words.join(" "),
                    count,
                }
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons
    }
}

/// What an error code means, in a few words.
pub(crate) fn code_words(code: &str) -> &'static str {
    match code {
        "002" => "unreadable image",
        "003" => "file too large",
        "005" => "system failure",
        "007" => "image or face too small",
        "051" => "no face, or several",
        "052" => "face covering",
        _ => "",
    }
}
