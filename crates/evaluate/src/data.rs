//! What is measured on: presentations with their labels, and where their images lie.
//!
//! Two forms are read. A **manifest** is a CSV file with a line of column names; upper and lower
//! case, spaces, hyphens and underscores make no difference in them, and other columns are ignored:
//!
//! | what | column names |
//! |---|---|
//! | image (needed) | `image`, `file`, `filename`, `path`, `img` |
//! | label (needed) | `label`, `class`, `target`, `ground_truth` |
//! | kind of attack | `type`, `attack_type`, `attack`, `species`, `pai`, `pai_species` |
//! | source | `source`, `dataset`, `set`, `camera`, `device` |
//! | subject | `subject`, `person`, `subject_id`, `person_id`, `identity` |
//!
//! A **folder** has one folder for each class (`live/`, `print/`, `screen/`, `attack/`); a folder
//! within one of them is a subject.
//!
//! Labels are words: see [`Label::parse`]. Numbers are refused, because some sets use 1 for live
//! and others for an attack.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// What image files end with, in a folder.
pub const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The species of an attack whose kind is not told.
pub const UNSPECIFIED: &str = "attack";

/// One photo and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// Its name, as the manifest or the folder gives it.
    pub image: String,
    /// The PAI species; `None` for a bona fide presentation.
    pub species: Option<String>,
    /// The data set or camera it comes from.
    pub source: String,
    /// The person presented, unique within the source; `None` when unknown.
    pub subject: Option<String>,
    /// Its line in the manifest, counted from 1; 0 in a folder.
    pub line: u64,
}

/// What a label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// A live person.
    BonaFide,
    /// An attack; of this species unless another column says more.
    Attack(String),
}

/// Words for a bona fide presentation.
const BONA_FIDE: [&str; 6] = ["live", "bona_fide", "bonafide", "real", "genuine", "client"];

/// Words for an attack of no particular species.
const ATTACK: [&str; 6] = ["attack", "spoof", "fake", "pa", "imposter", "impostor"];

/// Words for the species, each first the name that the reports use.
const SPECIES: [&[&str]; 3] = [
    &[
        "print",
        "printed",
        "photo",
        "printed_photo",
        "print_photo",
        "paper",
    ],
    &[
        "screen",
        "replay",
        "display",
        "video",
        "video_replay",
        "monitor",
    ],
    &["mask", "mask3d", "3d_mask"],
];

impl Label {
    /// From one of these words: `live`, `bona fide`, `real`, `genuine`, `client`; `print`,
    /// `printed`, `photo`, `paper`; `screen`, `replay`, `display`, `video`, `monitor`; `mask`,
    /// `3d mask`; `attack`, `spoof`, `fake`, `impostor`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = normal(text);
        if BONA_FIDE.contains(&word.as_str()) {
            return Some(Self::BonaFide);
        }
        if ATTACK.contains(&word.as_str()) {
            return Some(Self::Attack(UNSPECIFIED.to_owned()));
        }
        SPECIES
            .iter()
            .find(|words| words.contains(&word.as_str()))
            .map(|words| Self::Attack(words[0].to_owned()))
    }
}

/// A species by any name: one of the known ones, or the word itself.
fn species(text: &str) -> String {
    match Label::parse(text) {
        Some(Label::Attack(species)) => species,
        _ => normal(text),
    }
}

/// Lower case, with underscores for spaces and hyphens.
fn normal(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
}

/// What is wrong with the data; one sentence each.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is not CSV.
    #[error("the manifest cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// A needed column is missing.
    #[error(
        "line 1: no column for the {what}: none of {} is among {}",
        listed(names),
        listed(found)
    )]
    Column {
        /// What it would hold.
        what: &'static str,
        /// Names it may have.
        names: Vec<String>,
        /// Names that are there.
        found: Vec<String>,
    },
    /// A line cannot be used.
    #[error("line {line}: {reason}")]
    Row {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A class is missing.
    #[error(
        "there is no {0}: nothing can be measured without both bona fide presentations and attacks"
    )]
    EmptyClass(&'static str),
    /// A folder is not laid out as it must be.
    #[error("{0}")]
    Layout(String),
    /// Images are missing.
    #[error("{missing} of {of} images are not in {}; the first is {first:?}{}", place.display(), at_line(*line))]
    MissingImages {
        /// How many.
        missing: usize,
        /// Of how many.
        of: usize,
        /// The first one.
        first: String,
        /// Its line in the manifest; 0 when there is none.
        line: u64,
        /// Where they were looked for.
        place: PathBuf,
    },
}

fn listed(names: &[String]) -> String {
    names.join(", ")
}

fn at_line(line: u64) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(" (line {line})")
    }
}

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

/// Both classes are there, and no image twice.
pub(crate) fn check_presentations<'a>(
    presentations: impl IntoIterator<Item = &'a Presentation>,
) -> Result<(), DataError> {
    let mut seen: HashMap<&str, u64> = HashMap::new();
    let (mut bona_fide, mut attacks) = (false, false);
    for presentation in presentations {
        if let Some(earlier) = seen.insert(&presentation.image, presentation.line) {
            return Err(DataError::Row {
                line: presentation.line,
                reason: format!(
                    "{} was listed before, in line {earlier}: it would count twice",
                    presentation.image
                ),
            });
        }
        match presentation.species {
            None => bona_fide = true,
            Some(_) => attacks = true,
        }
    }
    match (bona_fide, attacks) {
        (false, _) => Err(DataError::EmptyClass("bona fide presentation")),
        (_, false) => Err(DataError::EmptyClass("attack")),
        _ => Ok(()),
    }
}

/// The presentations of a folder with one folder for each class.
///
/// # Errors
/// What is wrong with it.
pub fn read_folder(folder: &Path) -> Result<Vec<Presentation>, DataError> {
    let source = name_of(folder);
    let mut presentations = Vec::new();
    for class in entries(folder)? {
        let name = name(&class);
        if !class.is_dir() {
            if is_image(&class) {
                return Err(DataError::Layout(format!(
                    "{name} is next to the class folders: put each image into live/, print/, screen/ or attack/"
                )));
            }
            continue;
        }
        let label = Label::parse(&name).ok_or_else(|| {
            DataError::Layout(format!(
                "the folder {name} is not a class: name the folders live, print, screen or attack, or write a manifest"
            ))
        })?;
        let species = match label {
            Label::BonaFide => None,
            Label::Attack(species) => Some(species),
        };
        let mut add = |image: &Path, subject: Option<String>| {
            let image = image.strip_prefix(folder).unwrap_or(image);
            presentations.push(Presentation {
                image: image.display().to_string(),
                species: species.clone(),
                source: source.clone(),
                subject,
                line: 0,
            });
        };
        for entry in entries(&class)? {
            if entry.is_dir() {
                let subject = self::name(&entry);
                for image in images_below(&entry)? {
                    add(&image, Some(subject.clone()));
                }
            } else if is_image(&entry) {
                add(&entry, None);
            }
        }
    }
    check_presentations(&presentations)?;
    Ok(presentations)
}

/// The entries of a folder by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |reason| DataError::Unreadable {
        path: folder.to_owned(),
        reason,
    };
    let mut entries = fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort();
    Ok(entries)
}

/// The images in a folder and below it. Links to folders are not followed below the first level:
/// they may lead in circles.
fn images_below(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            if !entry.is_symlink() {
                found.extend(images_below(&entry)?);
            }
        } else if is_image(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The name of a file without its extension, or of a folder.
#[must_use]
pub fn name_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.map_or_else(
        || "data".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// SHA-256 over what the presentations are (not over their pixels), lower-case hexadecimal: tells
/// whether two measurements were made on the same list.
#[must_use]
pub fn fingerprint<'a>(presentations: impl IntoIterator<Item = &'a Presentation>) -> String {
    let mut hash = Sha256::new();
    for presentation in presentations {
        for field in [
            presentation.image.as_str(),
            presentation.species.as_deref().unwrap_or("live"),
            &presentation.source,
            presentation.subject.as_deref().unwrap_or_default(),
        ] {
            hash.update(field.len().to_le_bytes());
            hash.update(field);
        }
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Where image files are read from.
#[derive(Debug)]
pub struct Images {
    place: PathBuf,
    /// Of a tar archive: where each file begins, and its length.
    index: Option<BTreeMap<String, (u64, u64)>>,
}

impl Images {
    /// A folder, or a tar archive (not compressed), whose list of files is read here.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(place: &Path) -> Result<Self, DataError> {
        let unreadable = |reason| DataError::Unreadable {
            path: place.to_owned(),
            reason,
        };
        let metadata = fs::metadata(place).map_err(unreadable)?;
        let index = if metadata.is_dir() {
            None
        } else {
            Some(index(place).map_err(unreadable)?)
        };
        Ok(Self {
            place: place.to_owned(),
            index,
        })
    }

    /// The images that belong to a manifest: `NAME.tar` beside `NAME.csv`, or its own folder.
    #[must_use]
    pub fn beside(manifest: &Path) -> PathBuf {
        let archive = manifest.with_extension("tar");
        if archive.is_file() {
            return archive;
        }
        match manifest.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Checks that all images are there.
    ///
    /// # Errors
    /// How many are not, and the first.
    pub fn check(&self, presentations: &[Presentation]) -> Result<(), DataError> {
        let missing: Vec<&Presentation> = presentations
            .iter()
            .filter(|presentation| !self.has(&presentation.image))
            .collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => Err(DataError::MissingImages {
                missing: missing.len(),
                of: presentations.len(),
                first: first.image.clone(),
                line: first.line,
                place: self.place.clone(),
            }),
        }
    }

    fn has(&self, image: &str) -> bool {
        match &self.index {
            Some(index) => index.contains_key(plain(image)),
            None => self.place.join(image).is_file(),
        }
    }

    /// The file's bytes; of one that is longer than `limit`, `limit + 1` of them.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn read(&self, image: &str, limit: usize) -> io::Result<Vec<u8>> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        match &self.index {
            None => {
                File::open(self.place.join(image))?
                    .take(most)
                    .read_to_end(&mut bytes)?;
            }
            Some(index) => {
                let (start, length) = *index
                    .get(plain(image))
                    .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                let mut archive = File::open(&self.place)?;
                archive.seek(SeekFrom::Start(start))?;
                archive.take(length.min(most)).read_to_end(&mut bytes)?;
            }
        }
        Ok(bytes)
    }
}

/// Where each file of a tar archive begins, and its length.
fn index(archive: &Path) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(File::open(archive)?);
    let mut index = BTreeMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.to_string_lossy().into_owned();
            index.insert(
                plain(&name).to_owned(),
                (entry.raw_file_position(), entry.size()),
            );
        }
    }
    Ok(index)
}

/// A name without the `./` that archivers put before it.
fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}
