//! A manifest: a CSV file with a line of column names.

use std::{fs::File, path::Path};

use super::{
    error::DataError,
    folder::name_of,
    presentation::{Label, Presentation, UNSPECIFIED, check_presentations, normal, species},
};

/// Where the columns of a manifest are.
pub struct Columns {
    image: Option<usize>,
    label: usize,
    species: Option<usize>,
    source: Option<usize>,
    subject: Option<usize>,
    pub(crate) score: Option<usize>,
    pub(crate) error_code: Option<usize>,
    /// The source of lines that name none.
    default_source: String,
}

impl Columns {
    fn find(header: &csv::StringRecord, default_source: String) -> Result<Self, DataError> {
        let found: Vec<String> = header.iter().map(normal).collect();
        // The first of the names that is there: names before others win, not columns.
        let any = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| found.iter().position(|column| column == name))
        };
        let needed = |what, names: &[&str]| {
            any(names).ok_or_else(|| DataError::Column {
                what,
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                found: found.clone(),
            })
        };
        Ok(Self {
            image: Some(needed(
                "image",
                &["image", "file", "filename", "path", "img"],
            )?),
            label: needed("label", &["label", "class", "target", "ground_truth"])?,
            species: any(&[
                "type",
                "attack_type",
                "attack",
                "species",
                "pai",
                "pai_species",
            ]),
            source: any(&["source", "dataset", "set", "camera", "device"]),
            subject: any(&["subject", "person", "subject_id", "person_id", "identity"]),
            score: any(&["score"]),
            error_code: any(&["error_code", "error"]),
            default_source,
        })
    }

    /// A field that is there and not empty.
    pub(crate) fn get<'a>(
        &self,
        row: &'a csv::StringRecord,
        column: Option<usize>,
    ) -> Option<&'a str> {
        row.get(column?)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    pub(crate) fn presentation(
        &self,
        row: &csv::StringRecord,
        line: u64,
    ) -> Result<Presentation, DataError> {
        let wrong = |reason: String| DataError::Row { line, reason };
        let image = self
            .get(row, self.image)
            .ok_or_else(|| wrong("it names no image".to_owned()))?;
        let label = self
            .get(row, Some(self.label))
            .ok_or_else(|| wrong(format!("{image} has no label")))?;
        let species = match Label::parse(label) {
            Some(Label::BonaFide) => None,
            Some(Label::Attack(kind)) if kind == UNSPECIFIED => {
                Some(self.get(row, self.species).map_or(kind, species))
            }
            Some(Label::Attack(kind)) => Some(kind),
            None => {
                return Err(wrong(format!(
                    "the label {label:?} of {image} is unknown: use live, print, screen, or attack with the kind in the column type"
                )));
            }
        };
        Ok(Presentation {
            image: image.to_owned(),
            species,
            source: self
                .get(row, self.source)
                .unwrap_or(&self.default_source)
                .to_owned(),
            subject: self.get(row, self.subject).map(str::to_owned),
            line,
        })
    }
}

/// Hands each line of a CSV file to `take`.
pub(crate) fn read_rows(
    path: &Path,
    mut take: impl FnMut(&Columns, &csv::StringRecord, u64) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let file = File::open(path).map_err(|reason| DataError::Unreadable {
        path: path.to_owned(),
        reason,
    })?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let mut header = reader.headers()?.clone();
    // Spreadsheet programs write a mark of the byte order before the first name.
    if let Some(first) = header.get(0).and_then(|name| name.strip_prefix('\u{FEFF}')) {
        let names = std::iter::once(first).chain(header.iter().skip(1));
        header = names.collect();
    }
    let columns = Columns::find(&header, name_of(path))?;
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() != header.len() {
            return Err(DataError::Row {
                line,
                reason: format!(
                    "it has {} fields, the header line has {}",
                    row.len(),
                    header.len()
                ),
            });
        }
        take(&columns, &row, line)?;
    }
    Ok(())
}

/// The presentations of a manifest.
///
/// # Errors
/// What is wrong with it, with the line.
pub fn read_manifest(path: &Path) -> Result<Vec<Presentation>, DataError> {
    let mut presentations = Vec::new();
    read_rows(path, |columns, row, line| {
        presentations.push(columns.presentation(row, line)?);
        Ok(())
    })?;
    check_presentations(&presentations)?;
    Ok(presentations)
}
