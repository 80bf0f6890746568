//! Whether verdicts hold, and how large the errors are, when the same photos come in other light,
//! noisier, compressed, framed or turned, or when the face box lies a little differently.

use std::collections::BTreeMap;

use image::{RgbImage, imageops};
use livecheck_engine::{Engine, Face, Photo, Rate, Rejection};
use serde::{Deserialize, Serialize};

use crate::{
    disturb::{BoxChange, Change, DISTURBANCES, Disturbance},
    interval::rate,
};

/// Most of the verdicts that one of the small disturbances may turn.
pub const MOST_TURNED: f64 = 0.03;

/// Larger photos are reduced to this longer side first, so that a row of the table costs the same
/// with any camera; the face keeps more pixels than the nets look at.
pub const LONGEST_SIDE: u32 = 1600;

/// What became of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Classified as bona fide.
    Live,
    /// Classified as an attack.
    Attack,
    /// No verdict: the error code.
    NoVerdict(&'static str),
}

impl Answer {
    fn of(live: Result<bool, Rejection>) -> Self {
        match live {
            Ok(true) => Self::Live,
            Ok(false) => Self::Attack,
            Err(rejection) => Self::NoVerdict(rejection.code()),
        }
    }
}

/// A photo that got a verdict, and what became of it under each of [`DISTURBANCES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Its kind of attack; `None` for a bona fide presentation.
    pub species: Option<String>,
    /// As it is.
    pub undisturbed: Answer,
    /// Disturbed.
    pub disturbed: Vec<Answer>,
}

/// Judges a photo as it is and under each of [`DISTURBANCES`]. `None` without a verdict as it is.
///
/// # Errors
/// As [`Engine::locate_whole`].
pub fn answers(
    engine: &Engine,
    file: &[u8],
    species: Option<&str>,
) -> Result<Option<Answers>, Rejection> {
    let photo = engine.locate_whole(file)?.photo;
    let format = photo.format;
    let picture = bounded(photo);
    let judged = |picture: &RgbImage| {
        let photo = Photo::new(
            picture.width(),
            picture.height(),
            picture.as_raw().clone(),
            format,
        );
        engine.judge(&engine.locate_photo(photo)?)
    };
    let Ok(verdict) = judged(&picture) else {
        return Ok(None);
    };
    let face = verdict.details.face;
    let photo = Photo::new(
        picture.width(),
        picture.height(),
        picture.as_raw().clone(),
        format,
    );
    let with_box = |change: BoxChange| {
        let face = Face {
            bbox: change.apply(&face.bbox),
            ..face
        };
        engine.judge_face(&photo, &face).map(|judged| judged.live)
    };
    let disturbed = DISTURBANCES
        .iter()
        .map(|disturbance| match disturbance {
            Disturbance::Picture(changes) => {
                Answer::of(judged(&changed(&picture, changes)).map(|verdict| verdict.live))
            }
            Disturbance::Box(change) => Answer::of(with_box(*change)),
        })
        .collect();
    Ok(Some(Answers {
        species: species.map(str::to_owned),
        undisturbed: Answer::of(Ok(verdict.live)),
        disturbed,
    }))
}

fn changed(picture: &RgbImage, changes: &[Change]) -> RgbImage {
    changes
        .iter()
        .fold(picture.clone(), |picture, change| change.apply(&picture))
}

/// The pixels of a photo, at most [`LONGEST_SIDE`].
fn bounded(photo: Photo) -> RgbImage {
    let longest = photo.width.max(photo.height);
    let picture = RgbImage::from_raw(photo.width, photo.height, photo.rgb).unwrap_or_default();
    if longest <= LONGEST_SIDE {
        return picture;
    }
    let side = |pixels: u32| {
        let scaled = u64::from(pixels) * u64::from(LONGEST_SIDE) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(LONGEST_SIDE).max(1)
    };
    let (width, height) = (side(picture.width()), side(picture.height()));
    imageops::resize(&picture, width, height, imageops::FilterType::Triangle)
}

/// What became of the photos of one class under one disturbance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Verdicts turned, of the photos that still got one.
    pub turned: Rate,
    /// Verdicts that are wrong, of the photos that still got one: live people classified as
    /// attacks, or attacks that pass.
    pub wrong: Rate,
    /// Photos that no longer got a verdict.
    pub no_verdict: Rate,
    /// Those by error code.
    pub by_code: BTreeMap<String, u64>,
}

/// One disturbance and what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub name: String,
    /// Whether it may turn at most [`Stability::allowed`] of the verdicts.
    pub limited: bool,
    /// Verdicts turned, of the photos of all classes that still got one.
    pub turned: Rate,
    /// Bona fide presentations.
    pub live: Class,
    /// Attacks by species.
    pub attacks: BTreeMap<String, Class>,
    /// Attacks of all species together.
    pub all_attacks: Class,
}

/// The disturbance with the highest rate of something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Of what, such as `"live called attacks"`.
    pub what: String,
    /// The disturbance.
    pub disturbance: String,
    /// What it did.
    pub rate: Rate,
}

/// How verdicts hold against disturbances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// The threshold in force.
    pub threshold: f64,
    /// Most of the verdicts that a small disturbance may turn, 0 to 1.
    pub allowed: f64,
    /// The photos as they are.
    pub undisturbed: Row,
    /// Each disturbance.
    pub disturbances: Vec<Row>,
    /// The worst rows, one for each kind of failure that occurred.
    pub worst: Vec<Worst>,
}

impl Stability {
    /// Counts what became of the photos.
    #[must_use]
    pub fn new(threshold: f64, photos: &[Answers]) -> Self {
        let undisturbed = Row::count("as they are".to_owned(), false, photos, |photo| {
            Some(&photo.undisturbed)
        });
        let disturbances: Vec<Row> = DISTURBANCES
            .iter()
            .enumerate()
            .map(|(at, disturbance)| {
                Row::count(
                    disturbance.to_string(),
                    disturbance.is_small(),
                    photos,
                    |photo| photo.disturbed.get(at),
                )
            })
            .collect();
        Self {
            threshold,
            allowed: MOST_TURNED,
            worst: worst(&disturbances),
            undisturbed,
            disturbances,
        }
    }

    /// The small disturbances that turned more verdicts than allowed.
    pub fn over(&self) -> impl Iterator<Item = &Row> {
        self.disturbances.iter().filter(|row| self.is_over(row))
    }

    /// Whether a row is one of [`Stability::over`].
    #[must_use]
    pub fn is_over(&self, row: &Row) -> bool {
        row.limited && row.turned.rate > self.allowed
    }
}

impl Row {
    fn count<'a>(
        name: String,
        limited: bool,
        photos: &'a [Answers],
        answer: impl Fn(&'a Answers) -> Option<&'a Answer>,
    ) -> Self {
        let mut live = Counts::default();
        let mut species: BTreeMap<&str, Counts> = BTreeMap::new();
        let mut attacks = Counts::default();
        let mut all = Counts::default();
        for photo in photos {
            let Some(after) = answer(photo) else {
                continue;
            };
            let right = match &photo.species {
                None => Answer::Live,
                Some(_) => Answer::Attack,
            };
            let add = |counts: &mut Counts| counts.add(photo.undisturbed, *after, right);
            add(&mut all);
            match &photo.species {
                None => add(&mut live),
                Some(name) => {
                    add(species.entry(name).or_default());
                    add(&mut attacks);
                }
            }
        }
        Self {
            name,
            limited,
            turned: all.class().turned,
            live: live.class(),
            attacks: species
                .into_iter()
                .map(|(name, counts)| (name.to_owned(), counts.class()))
                .collect(),
            all_attacks: attacks.class(),
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    photos: u64,
    turned: u64,
    wrong: u64,
    by_code: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, before: Answer, after: Answer, right: Answer) {
        self.photos += 1;
        if let Answer::NoVerdict(code) = after {
            *self.by_code.entry(code.to_owned()).or_default() += 1;
        } else {
            self.turned += u64::from(after != before);
            self.wrong += u64::from(after != right);
        }
    }

    fn class(self) -> Class {
        let silent: u64 = self.by_code.values().sum();
        let answered = self.photos - silent;
        Class {
            turned: rate(self.turned, answered),
            wrong: rate(self.wrong, answered),
            no_verdict: rate(silent, self.photos),
            by_code: self.by_code,
        }
    }
}

/// The rows with the highest rates; of equal ones the first. None where nothing failed.
fn worst(rows: &[Row]) -> Vec<Worst> {
    let species = rows.iter().flat_map(|row| row.attacks.keys());
    let mut names: Vec<&String> = species.collect();
    names.sort();
    names.dedup();
    let of_species = names.into_iter().map(|name| {
        let rate = |row: &Row| row.attacks.get(name).map(|class| class.wrong);
        (format!("attacks passed: {name}"), highest(rows, rate))
    });
    [(
        "live called attacks".to_owned(),
        highest(rows, |row| Some(row.live.wrong)),
    )]
    .into_iter()
    .chain(of_species)
    .chain([
        (
            "live without a verdict".to_owned(),
            highest(rows, |row| Some(row.live.no_verdict)),
        ),
        (
            "verdicts turned".to_owned(),
            highest(rows, |row| Some(row.turned)),
        ),
    ])
    .filter_map(|(what, found)| {
        let (disturbance, rate) = found?;
        Some(Worst {
            what,
            disturbance,
            rate,
        })
    })
    .collect()
}

fn highest(rows: &[Row], rate: impl Fn(&Row) -> Option<Rate>) -> Option<(String, Rate)> {
    let mut found: Option<(&Row, Rate)> = None;
    for row in rows {
        let Some(rate) = rate(row).filter(|rate| rate.errors > 0) else {
            continue;
        };
        if found.is_none_or(|(_, highest)| rate.rate > highest.rate) {
            found = Some((row, rate));
        }
    }
    found.map(|(row, rate)| (row.name.clone(), rate))
}
