//! Presentations and their labels.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::error::DataError;

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
pub(super) fn species(text: &str) -> String {
    match Label::parse(text) {
        Some(Label::Attack(species)) => species,
        _ => normal(text),
    }
}

/// Lower case, with underscores for spaces and hyphens.
pub(super) fn normal(text: &str) -> String {
    text.trim().to_lowercase().replace([' ', '-'], "_")
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
    hex::encode(hash.finalize())
}
