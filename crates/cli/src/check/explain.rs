//! A verdict drawn into its photo: face box, landmarks, scores.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};
use livecheck_engine::{Photo, Verdict};

use super::glyphs;

const LIVE: Rgb<u8> = Rgb([0, 200, 80]);
const ATTACK: Rgb<u8> = Rgb([235, 40, 40]);
const LANDMARK: Rgb<u8> = Rgb([255, 220, 0]);
const TEXT: Rgb<u8> = Rgb([255, 255, 255]);
const BEHIND_TEXT: Rgb<u8> = Rgb([0, 0, 0]);

/// Image pixels of the shorter side for one pixel of a glyph and of a line's width: the text then
/// takes about a third of the image's width.
const SIDE_PER_DOT: u32 = 240;

/// Writes the drawing of `file` into `folder`; it has the photo's upright size.
///
/// # Errors
/// The drawing cannot be written.
pub(super) fn write(folder: &Path, file: &Path, photo: Photo, verdict: &Verdict) -> Result<()> {
    let path = drawing_path(folder, file);
    let drawing = draw(photo, verdict)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("the folder {} cannot be made", parent.display()))?;
    }
    drawing
        .save_with_format(&path, image::ImageFormat::Png)
        .with_context(|| format!("the drawing {} cannot be written", path.display()))
}

/// `folder/FILE.png`. What leads out of the folder (`/`, `..`) becomes a name, so that different
/// files keep different drawings.
fn drawing_path(folder: &Path, file: &Path) -> PathBuf {
    let mut path = folder.to_owned();
    for component in file.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => path.push("__up"),
            Component::RootDir => path.push("__root"),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path.as_mut_os_string().push(".png");
    path
}

fn draw(photo: Photo, verdict: &Verdict) -> Result<RgbImage> {
    let mut image = RgbImage::from_raw(photo.width, photo.height, photo.rgb)
        .context("the photo has fewer pixels than its size tells")?;
    let dot = (photo.width.min(photo.height) / SIDE_PER_DOT).max(1);
    let dot = i64::from(dot);
    let details = &verdict.details;
    let colour = if verdict.live { LIVE } else { ATTACK };

    let bbox = &details.face.bbox;
    let [x0, y0, x1, y1] = [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(|at| at.round() as i64);
    let line = 2 * dot;
    fill(&mut image, [x0, y0, x1, y0 + line], colour);
    fill(&mut image, [x0, y1 - line, x1, y1], colour);
    fill(&mut image, [x0, y0, x0 + line, y1], colour);
    fill(&mut image, [x1 - line, y0, x1, y1], colour);
    for landmark in details.face.landmarks {
        let [x, y] = landmark.map(|at| at.round() as i64);
        fill(
            &mut image,
            [x - line, y - line, x + line + 1, y + line + 1],
            LANDMARK,
        );
    }

    let word = if verdict.live { "LIVE" } else { "ATTACK" };
    let attacks = &details.attack_scores;
    let scores = [
        (word, verdict.score),
        ("FACE", details.face.score),
        ("MASK", details.mask_score),
        ("PRINT", attacks.print),
        ("SCREEN", attacks.screen),
    ];
    let mut lines: Vec<String> = scores
        .iter()
        .map(|(word, score)| format!("{word:6} {score:.3}"))
        .collect();
    let findings = details.findings.iter().flatten();
    lines.extend(findings.map(|finding| finding.check.name().replace('_', " ").to_uppercase()));
    write_lines(&mut image, dot, colour, &lines);
    Ok(image)
}

/// Lines of text in the top left corner; the first one in `colour`.
fn write_lines(image: &mut RgbImage, dot: i64, colour: Rgb<u8>, texts: &[String]) {
    let longest = texts.iter().map(|text| text.chars().count()).max();
    let cell = [glyphs::WIDTH + 1, glyphs::HEIGHT + 2].map(|side| side as i64 * dot);
    let right = longest.unwrap_or(0) as i64 * cell[0] + 2 * dot;
    let bottom = texts.len() as i64 * cell[1] + 2 * dot;
    fill(image, [0, 0, right, bottom], BEHIND_TEXT);
    for (number, text) in texts.iter().enumerate() {
        let colour = if number == 0 { colour } else { TEXT };
        for (column, character) in text.chars().enumerate() {
            let x = 2 * dot + column as i64 * cell[0];
            let y = 2 * dot + number as i64 * cell[1];
            for [dot_x, dot_y] in glyphs::dots(character) {
                let [left, top] = [x + dot_x as i64 * dot, y + dot_y as i64 * dot];
                fill(image, [left, top, left + dot, top + dot], colour);
            }
        }
    }
}

/// Fills left, top, right (excluded), bottom (excluded) as far as they lie in the image.
fn fill(image: &mut RgbImage, [x0, y0, x1, y1]: [i64; 4], colour: Rgb<u8>) {
    let inside = |at: i64, end: u32| at.clamp(0, i64::from(end)) as u32;
    for y in inside(y0, image.height())..inside(y1, image.height()) {
        for x in inside(x0, image.width())..inside(x1, image.width()) {
            image.put_pixel(x, y, colour);
        }
    }
}
