//! Fills as messengers make them: at two opposite sides the photo itself, enlarged and blurred.
//!
//! A fill is smooth and ends in a straight seam, at the same depth on both sides; and it shows what the photo
//! between the seams shows.

use std::ops::Range;

use super::{
    bars::PARAMS,
    view::{PAIRS, Photo, View, distance, light, without},
};
use crate::content_box::ContentBox;

/// How a fill is told.
struct Params {
    /// Points along an edge that are looked at.
    points: usize,
    /// Least depth, pixels.
    least: usize,
    /// Least mean difference of the two lines at the seam, grey levels.
    seam: f32,
    /// Largest share of it that two neighbouring lines of the fill reach, beyond the reach of compression.
    smooth: f32,
    /// Largest share of it that two neighbouring lines of the fill differ by in the mean.
    calm: f32,
    /// Largest mean difference from pixel to pixel along the edge of a fill, grey levels.
    grain: f32,
    /// Largest share of the picture's roughness, from pixel to pixel along the edge, that a fill has.
    rough: f32,
    /// Pixels from the seam to which compression spreads the picture.
    ringing: usize,
    /// Least share of the points that take part in the seam.
    straight: f32,
    /// Most pixels by which the depths of the two fills differ.
    uneven: usize,
    /// Least correlation of the light of the fills with that of the photo, enlarged.
    likeness: f32,
    /// Places at which that is compared: along a fill, and across it.
    grid: [usize; 2],
    /// Over how much of the photo's longer side one place is averaged: about what is blurred.
    blur: f32,
}

const FILL: Params = Params {
    points: 48,
    least: 24,
    seam: 5.0,
    smooth: 0.3,
    calm: 0.12,
    grain: 2.0,
    rough: 0.5,
    ringing: 8,
    straight: 0.35,
    uneven: 2,
    likeness: 0.7,
    grid: [24, 4],
    blur: 0.06,
};

/// The content without fills.
pub(super) fn cut(photo: Photo<'_>, content: ContentBox) -> ContentBox {
    for edges in PAIRS {
        let [near, far] = edges.map(|edge| View::of(photo, content, edge));
        let Some(one) = seam(&near) else { continue };
        let Some(other) = seam(&far).filter(|other| one.abs_diff(*other) <= FILL.uneven) else {
            continue;
        };
        let picture = without(without(content, edges[0], one), edges[1], other);
        if likeness(photo, content, picture) >= FILL.likeness {
            return picture;
        }
    }
    content
}

/// The depth of the first seam.
fn seam(view: &View) -> Option<usize> {
    let most = (view.depth as f32 * PARAMS.depth) as usize;
    if view.length < 16 || most < FILL.least {
        return None;
    }
    let places = &view.places(FILL.points);
    let steps = |depth: usize| {
        let pair = move |at: &usize| distance(view.pixel(*at, depth - 1), view.pixel(*at, depth));
        places.iter().map(pair)
    };
    let step = |depth: usize| steps(depth).map(f32::from).sum::<f32>() / places.len() as f32;
    let roughness = |depths: Range<usize>| {
        let lines = depths.step_by(3);
        let count = lines.len() * places.len();
        let sum: f32 = lines
            .flat_map(|depth| {
                places.iter().map(move |at| {
                    let at = (*at).min(view.length - 2);
                    f32::from(distance(view.pixel(at, depth), view.pixel(at + 1, depth)))
                })
            })
            .sum();
        sum / count.max(1) as f32
    };
    // Most photos have more grain than that.
    if roughness(0..FILL.least / 2) > FILL.grain {
        return None;
    }
    // Up to the first line that is not smooth, and from there to the seam.
    let first = (1..=most).find(|depth| step(*depth) >= FILL.seam)?;
    if first + FILL.ringing < FILL.least {
        return None;
    }
    let near = first..=(first + FILL.ringing).min(most);
    let (depth, height) = near
        .map(|depth| (depth, step(depth)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let taking_part = steps(depth)
        .filter(|level| f32::from(*level) > (height / 3.0).max(3.0))
        .count();
    let fill = 1..depth.saturating_sub(FILL.ringing);
    let mean = fill.clone().map(step).sum::<f32>() / fill.len().max(1) as f32;
    let is_smooth =
        mean <= FILL.calm * height && fill.clone().all(|line| step(line) <= FILL.smooth * height);
    (depth >= FILL.least
        && taking_part as f32 >= FILL.straight * places.len() as f32
        && is_smooth
        && roughness(fill) <= FILL.rough * roughness(depth..depth + FILL.least))
    .then_some(depth)
}

/// Correlation of the light of the fills with that of the picture between them, enlarged to `content`: so
/// that it covers it, or by as much as each side needs.
fn likeness(photo: Photo<'_>, content: ContentBox, picture: ContentBox) -> f32 {
    let cover = {
        let across = content.width() as f32 / picture.width() as f32;
        let down = content.height() as f32 / picture.height() as f32;
        across.max(down)
    };
    let stretched = [
        content.width() as f32 / picture.width() as f32,
        content.height() as f32 / picture.height() as f32,
    ];
    let [one, other] = [[cover; 2], stretched].map(|scale| {
        let pairs: Vec<(f32, f32)> = places(content, picture)
            .map(|(x, y)| {
                let shown = mean_light(photo, content, (x, y), 1.0);
                let from = |at: f32, [from, to]: [u32; 2], [start, end]: [u32; 2], scale: f32| {
                    let centre = (from + to) as f32 / 2.0;
                    (at - centre) / scale + (start + end) as f32 / 2.0
                };
                let source = (
                    from(
                        x,
                        [content.x0, content.x1],
                        [picture.x0, picture.x1],
                        scale[0],
                    ),
                    from(
                        y,
                        [content.y0, content.y1],
                        [picture.y0, picture.y1],
                        scale[1],
                    ),
                );
                let longer = picture.width().max(picture.height()) as f32;
                (
                    shown,
                    mean_light(photo, picture, source, FILL.blur * longer / 2.0),
                )
            })
            .collect();
        correlation(&pairs)
    });
    one.max(other)
}

/// Places in the fills.
fn places(content: ContentBox, picture: ContentBox) -> impl Iterator<Item = (f32, f32)> {
    let [along, across] = FILL.grid;
    let is_upright = content.height() == picture.height();
    let (length, from, to, end) = if is_upright {
        (
            content.height(),
            picture.x0 - content.x0,
            picture.x1 - content.x0,
            content.width(),
        )
    } else {
        (
            content.width(),
            picture.y0 - content.y0,
            picture.y1 - content.y0,
            content.height(),
        )
    };
    (0..2 * across).flat_map(move |line| {
        (0..along).map(move |place| {
            let share = ((line % across) as f32 + 0.5) / across as f32;
            let depth = if line < across {
                share * from as f32
            } else {
                to as f32 + share * (end - to) as f32
            };
            let at = (place as f32 + 0.5) / along as f32 * length as f32;
            let (x, y) = if is_upright { (depth, at) } else { (at, depth) };
            (x + content.x0 as f32, y + content.y0 as f32)
        })
    })
}

/// Mean light of 25 pixels, up to `radius` away from a place, inside a box.
fn mean_light(photo: Photo<'_>, inside: ContentBox, (x, y): (f32, f32), radius: f32) -> f32 {
    let mut sum = 0.0;
    for row in -2..=2 {
        for column in -2..=2 {
            let at = |at: f32, offset: i32, start: u32, end: u32| {
                let at = at + offset as f32 * radius / 2.0;
                (at.max(0.0) as u32).clamp(start, end - 1) as usize
            };
            let x = at(x, column, inside.x0, inside.x1);
            let y = at(y, row, inside.y0, inside.y1);
            let start = (y * photo.width as usize + x) * 3;
            let pixel = photo.rgb.get(start..).and_then(|rest| rest.first_chunk());
            sum += f32::from(light(pixel.copied().unwrap_or_default()));
        }
    }
    sum / 25.0
}

/// Pearson's correlation; 0 where one of the two does not vary.
fn correlation(pairs: &[(f32, f32)]) -> f32 {
    let count = pairs.len() as f32;
    let mean = |value: fn(&(f32, f32)) -> f32| pairs.iter().map(value).sum::<f32>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let [mut xx, mut yy, mut xy] = [0.0_f32; 3];
    for (a, b) in pairs {
        xx += (a - x) * (a - x);
        yy += (b - y) * (b - y);
        xy += (a - x) * (b - y);
    }
    let spread = (xx * yy).sqrt();
    if spread > 0.0 { xy / spread } else { 0.0 }
}
