//! An answer drawn into its photo: face boxes, landmarks, scores.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};
use livecheck_engine::{BBox, Face, Finding, Located, Photo, Rejection, Thresholds, Verdict};

use super::{
    glyphs,
    report::{Outcome, Refused},
};

const LIVE: Rgb<u8> = Rgb([0, 200, 80]);
const ATTACK: Rgb<u8> = Rgb([235, 40, 40]);
/// A refusal, and the faces that count for it.
const REFUSED: Rgb<u8> = Rgb([255, 150, 0]);
/// A face whose score is below the threshold.
const BELOW: Rgb<u8> = Rgb([150, 150, 150]);
const LANDMARK: Rgb<u8> = Rgb([255, 220, 0]);
const TEXT: Rgb<u8> = Rgb([255, 255, 255]);
const BEHIND_TEXT: Rgb<u8> = Rgb([0, 0, 0]);

/// Image pixels of the shorter side for one pixel of a glyph and of a line's width: the text then
/// takes about a third of the image's width.
const SIDE_PER_DOT: u32 = 240;

/// Writes the drawing of `file` into `folder`; it has the photo's upright size. A photo whose faces were not
/// looked for gets none.
///
/// # Errors
/// The drawing cannot be written.
pub(super) fn write(
    folder: &Path,
    file: &Path,
    located: Located,
    outcome: &Outcome,
    thresholds: &Thresholds,
) -> Result<()> {
    let drawing = match outcome {
        Ok(verdict) => draw_verdict(located.photo, verdict)?,
        Err(refused) if faces_were_looked_for(&refused.rejection) => {
            draw_refusal(located, refused, thresholds)?
        }
        Err(_) => return Ok(()),
    };
    let path = drawing_path(folder, file);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("the folder {} cannot be made", parent.display()))?;
    }
    drawing
        .save_with_format(&path, image::ImageFormat::Png)
        .with_context(|| format!("the drawing {} cannot be written", path.display()))
}

fn faces_were_looked_for(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::FaceCount { .. }
            | Rejection::FaceCutOff { .. }
            | Rejection::FaceTooSmall { .. }
            | Rejection::FaceMask { .. }
    )
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

fn draw_verdict(photo: Photo, verdict: &Verdict) -> Result<RgbImage> {
    let details = &verdict.details;
    // A photo that was turned while it was judged.
    let quarters = (details.image.rotated + 360 - photo.rotated()) / 90 % 4;
    let photo = match quarters {
        0 => photo,
        quarters => photo.turned(quarters),
    };
    let mut drawing = Drawing::on(photo)?;
    let colour = if verdict.live { LIVE } else { ATTACK };
    drawing.face(&details.face, colour);
    let word = if verdict.live { "LIVE" } else { "ATTACK" };
    let scores = [
        (word, verdict.score),
        ("FACE", details.face.score),
        ("MASK", details.mask_score),
    ];
    let mut lines: Vec<String> = scores
        .iter()
        .map(|(word, score)| score_line(word, *score))
        .collect();
    lines.extend(finding_lines(details.findings.as_deref()));
    drawing.lines(colour, &lines);
    Ok(drawing.image)
}

/// Every face with its score.
fn draw_refusal(located: Located, refused: &Refused, thresholds: &Thresholds) -> Result<RgbImage> {
    let rejection = &refused.rejection;
    let Located { photo, faces, .. } = located;
    let mut drawing = Drawing::on(photo)?;
    let (counted, below): (Vec<Face>, Vec<Face>) = faces
        .into_iter()
        .partition(|face| face.score >= thresholds.face);
    for (faces, colour) in [(&below, BELOW), (&counted, REFUSED)] {
        for face in faces {
            drawing.face(face, colour);
            drawing.label(&face.bbox, colour, &format!("{:.3}", face.score));
        }
    }
    let mut lines = vec![
        rejection.code().to_owned(),
        format!("FACES  {}", counted.len()),
    ];
    match rejection {
        Rejection::FaceMask { score, .. } => lines.push(score_line("MASK", *score)),
        Rejection::FaceCutOff { visible, .. } => lines.push(score_line("INSIDE", *visible)),
        _ => {}
    }
    lines.extend(finding_lines(refused.findings.as_deref()));
    drawing.lines(REFUSED, &lines);
    Ok(drawing.image)
}

/// The names of what a person could improve.
fn finding_lines(findings: Option<&[Finding]>) -> impl Iterator<Item = String> {
    findings
        .into_iter()
        .flatten()
        .map(|finding| finding.check.name().replace('_', " ").to_uppercase())
}

fn score_line(word: &str, score: f32) -> String {
    format!("{word:6} {score:.3}")
}

struct Drawing {
    image: RgbImage,
    /// Side of a dot of a glyph, pixels.
    dot: i64,
}

impl Drawing {
    fn on(photo: Photo) -> Result<Self> {
        let dot = (photo.width.min(photo.height) / SIDE_PER_DOT).max(1);
        let image = RgbImage::from_raw(photo.width, photo.height, photo.rgb)
            .context("the photo has fewer pixels than its size says")?;
        Ok(Self {
            image,
            dot: i64::from(dot),
        })
    }

    /// Box and landmarks.
    fn face(&mut self, face: &Face, colour: Rgb<u8>) {
        let [x0, y0, x1, y1] = corners(&face.bbox);
        let line = 2 * self.dot;
        for part in [
            [x0, y0, x1, y0 + line],
            [x0, y1 - line, x1, y1],
            [x0, y0, x0 + line, y1],
            [x1 - line, y0, x1, y1],
        ] {
            self.fill(part, colour);
        }
        for landmark in face.landmarks {
            let [x, y] = landmark.map(|at| at.round() as i64);
            self.fill([x - line, y - line, x + line + 1, y + line + 1], LANDMARK);
        }
    }

    /// A text at the lower left corner of a box, as far within the picture as it goes.
    fn label(&mut self, bbox: &BBox, colour: Rgb<u8>, text: &str) {
        let [x0, _, _, y1] = corners(bbox);
        let [width, height] = self.size_of(&[text]);
        let most = |at: i64, end: u32, size: i64| at.min(i64::from(end) - size).max(0);
        let x = most(x0, self.image.width(), width);
        let y = most(y1 - height, self.image.height(), height);
        self.text([x, y], &[(text, colour)]);
    }

    /// Lines in the top left corner; the first one in `colour`.
    fn lines(&mut self, colour: Rgb<u8>, lines: &[String]) {
        let lines: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(number, line)| (line.as_str(), if number == 0 { colour } else { TEXT }))
            .collect();
        self.text([0, 0], &lines);
    }

    /// Width and height of a character and the space about it.
    fn cell(&self) -> [i64; 2] {
        [glyphs::WIDTH + 1, glyphs::HEIGHT + 2].map(|side| side as i64 * self.dot)
    }

    fn size_of(&self, lines: &[&str]) -> [i64; 2] {
        let longest = lines.iter().map(|line| line.chars().count()).max();
        let [width, height] = self.cell();
        [
            longest.unwrap_or(0) as i64 * width + 2 * self.dot,
            lines.len() as i64 * height + 2 * self.dot,
        ]
    }

    /// Lines on black whose top left corner is at `x`, `y`.
    fn text(&mut self, [x, y]: [i64; 2], lines: &[(&str, Rgb<u8>)]) {
        let texts: Vec<&str> = lines.iter().map(|(text, _)| *text).collect();
        let [width, height] = self.size_of(&texts);
        self.fill([x, y, x + width, y + height], BEHIND_TEXT);
        let (dot, [cell_width, cell_height]) = (self.dot, self.cell());
        for (number, (text, colour)) in lines.iter().enumerate() {
            let top = y + 2 * dot + number as i64 * cell_height;
            for (column, character) in text.chars().enumerate() {
                let left = x + 2 * dot + column as i64 * cell_width;
                for [dot_x, dot_y] in glyphs::dots(character) {
                    let [left, top] = [left + dot_x as i64 * dot, top + dot_y as i64 * dot];
                    self.fill([left, top, left + dot, top + dot], *colour);
                }
            }
        }
    }

    /// Fills left, top, right (excluded), bottom (excluded) as far as they lie in the image.
    fn fill(&mut self, [x0, y0, x1, y1]: [i64; 4], colour: Rgb<u8>) {
        let inside = |at: i64, end: u32| at.clamp(0, i64::from(end)) as u32;
        let (width, height) = self.image.dimensions();
        for y in inside(y0, height)..inside(y1, height) {
            for x in inside(x0, width)..inside(x1, width) {
                self.image.put_pixel(x, y, colour);
            }
        }
    }
}

fn corners(bbox: &BBox) -> [i64; 4] {
    [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(|at| at.round() as i64)
}
