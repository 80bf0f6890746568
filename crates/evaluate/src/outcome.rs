//! What a detector said of each presentation, and the CSV file that holds it.
//!
//! The file has one line for each image: `image,label,type,source,subject,score,verdict,error_code`.
//! `livecheck evaluate --predictions` writes it and `--scores` reads it, so that any other system
//! is measured by the same program.

use std::{io, path::Path};

use crate::data::{self, Columns, DataError, Presentation};

/// What became of one presentation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was judged.
    Score(f64),
    /// It was not: the error code, or a word of another system.
    NoResponse(String),
}

/// A presentation and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was presented.
    pub presentation: Presentation,
    /// What the detector said.
    pub outcome: Outcome,
}

impl Record {
    /// The score, when there is one.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Score(score) => Some(score),
            Outcome::NoResponse(_) => None,
        }
    }
}

/// A score of the engine as the shortest decimal number that stands for it, so that comparing it
/// with a threshold gives the same from memory and from a file.
#[must_use]
pub fn exact(score: f32) -> f64 {
    score.to_string().parse().unwrap_or(f64::from(score))
}

/// Names of the columns.
const COLUMNS: [&str; 8] = [
    "image",
    "label",
    "type",
    "source",
    "subject",
    "score",
    "verdict",
    "error_code",
];

/// Writes the file.
///
/// # Errors
/// Whatever the writer says.
pub fn write(records: &[Record], threshold: f64, to: impl io::Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS)?;
    for Record {
        presentation,
        outcome,
    } in records
    {
        let (score, verdict, code) = match outcome {
            Outcome::Score(score) => {
                let verdict = if *score >= threshold {
                    "live"
                } else {
                    "attack"
                };
                (score.to_string(), verdict, "")
            }
            Outcome::NoResponse(code) => (String::new(), "", code.as_str()),
        };
        writer.write_record([
            presentation.image.as_str(),
            if presentation.species.is_none() {
                "live"
            } else {
                "attack"
            },
            presentation.species.as_deref().unwrap_or_default(),
            &presentation.source,
            presentation.subject.as_deref().unwrap_or_default(),
            &score,
            verdict,
            code,
        ])?;
    }
    writer.flush()
}

/// Reads the file, or one of another system: the columns of a manifest (see [`crate::data`]),
/// `score` (0 to 1, higher is more alive) and, where there is none, `error_code`.
///
/// # Errors
/// What is wrong with it, with the line.
pub fn read(path: &Path) -> Result<Vec<Record>, DataError> {
    let mut records = Vec::new();
    data::read_rows(path, |columns: &Columns, row, line| {
        let presentation = columns.presentation(row, line)?;
        let score = columns.get(row, columns.score);
        let code = columns.get(row, columns.error_code);
        let outcome = match (score, code) {
            (None, code) => Outcome::NoResponse(code.unwrap_or("no score").to_owned()),
            (Some(text), None) => match text.parse::<f64>() {
                Ok(score) if (0.0..=1.0).contains(&score) => Outcome::Score(score),
                _ => {
                    return Err(DataError::Row {
                        line,
                        reason: format!(
                            "the score {text:?} is not a number from 0 to 1; map other scales to that range with an increasing function, which changes only the figures at fixed thresholds"
                        ),
                    });
                }
            },
            (Some(score), Some(code)) => {
                return Err(DataError::Row {
                    line,
                    reason: format!(
                        "it has both the score {score} and the error code {code}: leave one of them empty"
                    ),
                });
            }
        };
        records.push(Record {
            presentation,
            outcome,
        });
        Ok(())
    })?;
    data::check_presentations(records.iter().map(|record| &record.presentation))?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_written_file_reads_back() {
        let presentation =
            |image: &str, species: Option<&str>, subject: Option<&str>| Presentation {
                image: image.to_owned(),
                species: species.map(str::to_owned),
                source: "drawn, \"here\"".to_owned(),
                subject: subject.map(str::to_owned),
                line: 0,
            };
        let records = [
            (
                presentation("a.jpg", None, Some("p1")),
                Outcome::Score(exact(0.9)),
            ),
            (
                presentation("b,c.jpg", Some("print"), None),
                Outcome::Score(exact(1e-7)),
            ),
            (
                presentation("d.jpg", Some("screen"), Some("p2")),
                Outcome::NoResponse("051".to_owned()),
            ),
        ]
        .map(|(presentation, outcome)| Record {
            presentation,
            outcome,
        });
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("scores.csv");
        let file = fs::File::create(&path).expect("a file");
        write(&records, 0.9, file).expect("written");
        let text = fs::read_to_string(&path).expect("text");
        assert!(
            text.contains("a.jpg,live,,\"drawn, \"\"here\"\"\",p1,0.9,live,\n"),
            "{text}"
        );
        let mut back = read(&path).expect("a file of scores");
        for record in &mut back {
            record.presentation.line = 0;
        }
        assert_eq!(back, records);
    }

    #[test]
    fn a_score_keeps_its_side_of_the_threshold() {
        for score in [0.9f32, 0.9f32.next_down(), 0.9f32.next_up(), 0.95] {
            for threshold in [0.9f32, 0.95] {
                assert_eq!(
                    score >= threshold,
                    exact(score) >= exact(threshold),
                    "{score}"
                );
            }
        }
    }
}
