//! Bars and frames of one colour.
//!
//! A bar is of one colour, as far as compression leaves it, and ends in a straight step from one line of
//! pixels to the next. The end of a dark room, a white wall or a coat is ragged or soft, and their colour
//! varies by more than compression makes a bar's vary.

use super::view::{Edge, Photo, View, distance};
use crate::content_box::ContentBox;

/// How a bar is told. Levels are those of [`distance`].
pub(super) struct Params {
    /// Points along an edge that are looked at.
    points: usize,
    /// Largest share of the photo that a bar on one side may take.
    pub(super) depth: f32,
    /// Pixels from the picture to which compression spreads it: an MCU of 4:2:0.
    ringing: usize,
    /// Largest deviation from the bar's colour beyond `ringing` pixels from the picture: there JPEG leaves
    /// one colour.
    calm: u8,
    /// Share of the points that may deviate by more there.
    outliers: f32,
    /// Mean deviation from which a line is no longer the bar's, as far as compression changes it.
    start: f32,
    /// Least mean deviation of the first lines of the picture.
    contrast: f32,
    /// Least share of that deviation that is reached in one step, from one line to the next.
    step: f32,
    /// Least share of the points that take part in the step.
    straight: f32,
    /// Largest deviation of the bar's lines within `ringing`, over that of the picture's first lines.
    spread: f32,
    /// As `step`, `straight` and `spread`, for a bar of no more than `ringing` pixels.
    thin: [f32; 3],
    /// Pixels up to which a bar is a line: photos have such edges from cameras and scaling, so it must be of
    /// one colour as it stands, or have one like it at the opposite edge.
    line: usize,
    /// Least mean deviation of the picture behind a line, unless there is one like it at the opposite edge.
    line_contrast: f32,
    /// Most that the colours of two lines at opposite edges differ.
    pair_distance: u8,
}

pub(super) const PARAMS: Params = Params {
    points: 96,
    depth: 0.45,
    ringing: 16,
    calm: 2,
    outliers: 0.03,
    start: 3.0,
    contrast: 5.0,
    step: 0.5,
    straight: 0.3,
    spread: 0.3,
    thin: [0.65, 0.6, 0.15],
    line: 3,
    line_contrast: 24.0,
    pair_distance: 10,
};

/// As `spread`, for the bar's last line, into which decoders smooth the colours of the picture.
const LAST_LINE: f32 = 0.4;

/// Largest mean deviation of the line at the edge.
const OUTER_DEVIATION: f32 = 14.0;

/// Lines of the picture whose deviation is compared with the step; twice as many are left in any case.
pub(super) const PICTURE_LINES: usize = 4;

/// As `contrast` and `spread`, for a bar like one that was found at another edge.
const REPEATED_CONTRAST: f32 = 2.5;

const REPEATED_SPREAD: f32 = 0.55;

/// A bar at an edge.
pub(super) struct Bar {
    /// Pixels.
    pub(super) depth: usize,
    colour: [u8; 3],
    /// Without another at the opposite edge.
    pub(super) is_clear: bool,
}

impl Bar {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.depth.abs_diff(other.depth) <= 1
            && distance(self.colour, other.colour) <= PARAMS.pair_distance
    }
}

/// The bar at an edge.
pub(super) fn bar(photo: Photo<'_>, content: ContentBox, edge: Edge) -> Option<Bar> {
    let Params {
        points,
        depth,
        ringing,
        calm,
        outliers,
        start,
        contrast,
        step,
        straight,
        spread,
        thin,
        line: line_depth,
        line_contrast,
        pair_distance: _,
    } = PARAMS;
    let view = &View::of(photo, content, edge);
    let points = points.min(view.length);
    let side = match edge {
        Edge::Left | Edge::Right => photo.width,
        Edge::Top | Edge::Bottom => photo.height,
    };
    let most = ((side as f32 * depth) as usize).min(view.depth.saturating_sub(2 * PICTURE_LINES));
    if points < 16 || most < 1 {
        return None;
    }
    let places = &view.places(points);
    let line = |depth: usize| places.iter().map(move |at| view.pixel(*at, depth));
    let mean = |distances: &mut dyn Iterator<Item = u8>| {
        distances.map(f32::from).sum::<f32>() / points as f32
    };
    let share = |count: usize| count as f32 / points as f32;

    let colour = [0, 1, 2].map(|channel| {
        let mut levels: Vec<u8> = line(0).map(|pixel| pixel[channel]).collect();
        levels.sort_unstable();
        levels[points / 2]
    });
    let deviation = |depth: usize| mean(&mut line(depth).map(|pixel| distance(pixel, colour)));
    let restless = |depth: usize| {
        share(
            line(depth)
                .filter(|pixel| distance(*pixel, colour) > calm)
                .count(),
        )
    };

    // Ringing leaves more of a bar's outer line than that.
    if deviation(0) > OUTER_DEVIATION {
        return None;
    }

    // The first line that is not the bar's, and near it the greatest step.
    let first = (0..=most).find(|depth| deviation(*depth) > start)?;
    let steps = |depth: usize| {
        let pairs = line(depth - 1).zip(line(depth));
        pairs.map(|(before, behind)| distance(before, behind))
    };
    let near = first.max(1)..=(first + ringing).min(most);
    let (depth, height) = near
        .map(|depth| (depth, mean(&mut steps(depth))))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let picture = (depth..depth + PICTURE_LINES).map(deviation).sum::<f32>() / PICTURE_LINES as f32;
    let [step, straight, spread] = if depth <= ringing {
        thin
    } else {
        [step, straight, spread]
    };
    let taking_part = steps(depth)
        .filter(|level| f32::from(*level) > (height / 3.0).max(3.0))
        .count();
    if picture < contrast || height < step * picture || share(taking_part) < straight {
        return None;
    }
    let is_clear = depth > line_depth
        || picture >= line_contrast && (0..depth).all(|depth| restless(depth) <= outliers);
    // Away from the picture there is one colour, and near it not much else.
    let still = depth.saturating_sub(ringing);
    if (0..still).any(|depth| restless(depth) > outliers)
        || (still..depth - 1).any(|depth| deviation(depth) > spread * picture)
        || deviation(depth - 1) > LAST_LINE * picture
    {
        return None;
    }
    Some(Bar {
        depth,
        colour,
        is_clear,
    })
}

/// Whether there is a bar of the same colour and depth at an edge.
pub(super) fn is_repeated(bar: &Bar, photo: Photo<'_>, content: ContentBox, edge: Edge) -> bool {
    let Params {
        ringing,
        outliers,
        calm,
        ..
    } = PARAMS;
    let view = &View::of(photo, content, edge);
    let depth = bar.depth;
    if view.length < 16 || depth + PICTURE_LINES > view.depth / 2 {
        return false;
    }
    let places = &view.places(PARAMS.points);
    let line = |depth: usize| places.iter().map(move |at| view.pixel(*at, depth));
    let deviation = |depth: usize| {
        let sum: f32 = line(depth)
            .map(|pixel| f32::from(distance(pixel, bar.colour)))
            .sum();
        sum / places.len() as f32
    };
    let is_restless = |depth: usize| {
        let restless = line(depth)
            .filter(|pixel| distance(*pixel, bar.colour) > calm + 2)
            .count();
        restless as f32 > outliers * places.len() as f32
    };
    let picture = (depth + 1..=depth + PICTURE_LINES)
        .map(deviation)
        .sum::<f32>()
        / PICTURE_LINES as f32;
    let still = depth.saturating_sub(ringing);
    picture >= REPEATED_CONTRAST
        && !(0..still).any(is_restless)
        && (still..depth).all(|line| deviation(line) <= REPEATED_SPREAD * picture)
}
