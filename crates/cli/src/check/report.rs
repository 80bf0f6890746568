//! Outcomes in words: a table for people, JSON lines and CSV for programs.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use livecheck_contract::{ErrorCode, FileName, Row};
use livecheck_engine::{Details, Finding, Rejection, Verdict};
use serde::Serialize;

/// What judging one file gave.
pub(super) type Outcome = Result<Verdict, Refused>;

/// Why there is no verdict, and what a person could improve, if that was asked for.
pub(super) struct Refused {
    pub(super) rejection: Rejection,
    pub(super) findings: Option<Vec<Finding>>,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            findings: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    Table,
    /// One JSON object a line: the API's answer and the file's name
    Json,
    /// Comma-separated values as in RFC 4180, with a line of column names
    Csv,
}

/// What stands before the first row.
pub(super) fn head(format: Format) -> String {
    match format {
        Format::Table => "RESULT  SCORE  FILE\n".to_owned(),
        Format::Json => String::new(),
        Format::Csv => csv_line(&Row::COLUMNS),
    }
}

/// One file's row, with its end of line.
pub(super) fn row(format: Format, file: &Path, outcome: &Outcome, details: bool) -> String {
    match format {
        Format::Table => table_row(file, outcome, details),
        Format::Json => json_row(file, outcome, details),
        Format::Csv => csv_row(file, outcome),
    }
}

/// The API's envelope after the file's name.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    name: FileName,
    success: bool,
    #[serde(flatten)]
    answer: Answer<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Verdict {
        result: Judged<'a>,
    },
    Rejection {
        error_code: &'static str,
        error_message: &'static str,
        error_detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        findings: Option<&'a [Finding]>,
    },
}

#[derive(Serialize)]
struct Judged<'a> {
    liveness: bool,
    score: f32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    review: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Details>,
}

fn json_row(file: &Path, outcome: &Outcome, details: bool) -> String {
    let line = Line {
        name: FileName::of(file),
        success: outcome.is_ok(),
        answer: match outcome {
            Ok(verdict) => Answer::Verdict {
                result: Judged {
                    liveness: verdict.live,
                    score: verdict.score,
                    review: needs_review(verdict),
                    details: details.then_some(&verdict.details),
                },
            },
            Err(Refused {
                rejection,
                findings,
            }) => Answer::Rejection {
                error_code: rejection.code(),
                error_message: code(rejection).message(),
                error_detail: rejection.to_string(),
                findings: findings.as_deref().filter(|_| details),
            },
        },
    };
    let mut row = serde_json::to_string(&line).expect("strings and numbers are always JSON");
    row.push('\n');
    row
}

fn code(rejection: &Rejection) -> ErrorCode {
    ErrorCode::from_digits(rejection.code()).unwrap_or(ErrorCode::Internal)
}

fn needs_review(verdict: &Verdict) -> bool {
    verdict.details.thresholds.needs_review(verdict.score)
}

fn csv_row(file: &Path, outcome: &Outcome) -> String {
    let outcome = match outcome {
        Ok(verdict) => Ok((verdict.live, verdict.score)),
        Err(Refused { rejection, .. }) => Err((code(rejection), rejection.to_string())),
    };
    let row = Row::new(Some(FileName::of(file)), outcome);
    csv_line(&row.fields())
}

fn csv_line<T: AsRef<str>>(fields: &[T; Row::COLUMNS.len()]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(fields.iter().map(T::as_ref))
        .expect("memory takes every record");
    let line = writer.into_inner().expect("memory takes every record");
    String::from_utf8(line).expect("strings make a string")
}

fn table_row(file: &Path, outcome: &Outcome, details: bool) -> String {
    let file = printable(&file.display().to_string());
    let (word, colour, rest) = match outcome {
        Ok(verdict) if verdict.live => (
            "live",
            AnsiColor::Green,
            format!("{:.3}  {file}", verdict.score),
        ),
        Ok(verdict) if needs_review(verdict) => (
            "review",
            AnsiColor::Yellow,
            format!("{:.3}  {file}", verdict.score),
        ),
        Ok(verdict) => (
            "attack",
            AnsiColor::Red,
            format!("{:.3}  {file}", verdict.score),
        ),
        Err(Refused { rejection, .. }) => (
            rejection.code(),
            AnsiColor::Yellow,
            format!("-      {file}: {rejection}"),
        ),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    let mut row = format!("{style}{word:6}{style:#}  {rest}\n");
    let findings = match outcome {
        Ok(verdict) => &verdict.details.findings,
        Err(refused) => &refused.findings,
    };
    for finding in findings.iter().flatten().filter(|_| details) {
        row += &format!(
            "        {} {:.2} (limit {:.2}): {}\n",
            finding.check, finding.value, finding.limit, finding.hint
        );
    }
    row
}

/// The text with what would steer a terminal (control characters, changes of the writing direction)
/// as escapes.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character.is_control()
            || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
