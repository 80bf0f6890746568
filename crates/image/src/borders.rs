//! What lies about a photo: bars and frames of one colour (letterbox, pillarbox, border), and fills of the
//! photo itself, enlarged and blurred (`fills`).
//!
//! A bar is of one colour, as far as compression leaves it, and ends in a straight step from one line of
//! pixels to the next. The end of a dark room, a white wall or a coat is ragged or soft, and their colour
//! varies by more than compression makes a bar's vary.
//! `docs/explain/decisions/0010-borders.md` has the figures, and the command that prints them.

mod fills;

use crate::content_box::ContentBox;

/// Pixels to look at: interleaved RGB, row by row.
#[derive(Clone, Copy)]
struct Photo<'a> {
    width: u32,
    height: u32,
    rgb: &'a [u8],
}

/// How a bar is told. Levels are those of [`distance`].
struct Params {
    /// Points along an edge that are looked at.
    points: usize,
    /// Largest share of the photo that a bar on one side may take.
    depth: f32,
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

const PARAMS: Params = Params {
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
const PICTURE_LINES: usize = 4;

/// As `contrast` and `spread`, for a bar like one that was found at another edge.
const REPEATED_CONTRAST: f32 = 2.5;
const REPEATED_SPREAD: f32 = 0.55;

/// Times that the four edges are looked at: a frame in another, or bars that a frame hid.
const ROUNDS: usize = 3;

/// An edge of a rectangle.
#[derive(Clone, Copy, PartialEq)]
enum Edge {
    Left,
    Top,
    Right,
    Bottom,
}

/// Two edges that face each other.
const PAIRS: [[Edge; 2]; 2] = [[Edge::Left, Edge::Right], [Edge::Top, Edge::Bottom]];

/// What is left of a photo without bars, frames and fills at its edges, in its pixels: `rgb` has
/// `height × width × 3` bytes, row-major. The whole photo where it has other than that.
///
/// ```
/// // 40 black columns on each side of a picture that changes from pixel to pixel.
/// let level = |x: u32, y: u32| if (40..280).contains(&x) { 60 + ((x * 7 + y * 13) % 150) as u8 } else { 0 };
/// let rgb: Vec<u8> = (0..240).flat_map(|y| (0..320).flat_map(move |x| [level(x, y); 3])).collect();
/// let content = livecheck_image::content(320, 240, &rgb);
/// assert_eq!((content.x0, content.x1), (40, 280));
/// ```
#[must_use]
pub fn content(width: u32, height: u32, rgb: &[u8]) -> ContentBox {
    let whole = ContentBox::whole(width, height);
    if rgb.len() != width as usize * height as usize * 3 {
        return whole;
    }
    let photo = Photo { width, height, rgb };
    let mut content = whole;
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let before = content;
        for edges in PAIRS {
            let bars = edges.map(|edge| bar(photo, content, edge));
            let pair = matches!(&bars, [Some(one), Some(other)] if one.is_like(other));
            for (edge, bar) in edges.into_iter().zip(bars) {
                if let Some(bar) = bar.filter(|bar| bar.is_clear || pair)
                    && View::of(photo, content, edge).depth > bar.depth + 2 * PICTURE_LINES
                {
                    content = without(content, edge, bar.depth);
                    found.push((edge, bar));
                }
            }
        }
        if content == before {
            break;
        }
    }
    // Bars come in pairs and frames: a bar like one that was found is believed sooner.
    for edge in PAIRS.into_iter().flatten() {
        let is_cut = |(other, _): &&(Edge, Bar)| *other == edge;
        if !found.iter().any(|one| is_cut(&one))
            && let Some((_, bar)) = found
                .iter()
                .find(|(_, bar)| is_repeated(bar, photo, content, edge))
        {
            content = without(content, edge, bar.depth);
        }
    }
    fills::cut(photo, content)
}

/// The content less a bar.
fn without(mut content: ContentBox, edge: Edge, depth: usize) -> ContentBox {
    let depth = depth as u32;
    match edge {
        Edge::Left => content.x0 += depth,
        Edge::Top => content.y0 += depth,
        Edge::Right => content.x1 -= depth,
        Edge::Bottom => content.y1 -= depth,
    }
    content
}

/// The photo as seen from an edge of its content.
struct View<'a> {
    rgb: &'a [u8],
    start: isize,
    /// Bytes from one point of the edge to the next, and from one depth to the next.
    along: isize,
    inwards: isize,
    length: usize,
    depth: usize,
}

impl<'a> View<'a> {
    fn of(photo: Photo<'a>, content: ContentBox, edge: Edge) -> Self {
        let row = photo.width as isize * 3;
        let at = |x: u32, y: u32| y as isize * row + x as isize * 3;
        let (width, height) = (content.width() as usize, content.height() as usize);
        let (start, along, inwards, length, depth) = match edge {
            Edge::Left => (at(content.x0, content.y0), row, 3, height, width),
            Edge::Top => (at(content.x0, content.y0), 3, row, width, height),
            Edge::Right => (at(content.x1 - 1, content.y0), row, -3, height, width),
            Edge::Bottom => (at(content.x0, content.y1 - 1), 3, -row, width, height),
        };
        Self {
            rgb: photo.rgb,
            start,
            along,
            inwards,
            length,
            depth,
        }
    }

    /// Places along the edge, no more than `points`.
    fn places(&self, points: usize) -> Vec<usize> {
        let points = points.min(self.length);
        let place = |point| (2 * point + 1) * self.length / (2 * points);
        (0..points).map(place).collect()
    }

    fn pixel(&self, along: usize, depth: usize) -> [u8; 3] {
        let at = self.start + self.along * along as isize + self.inwards * depth as isize;
        let at = usize::try_from(at).unwrap_or(0);
        self.rgb
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default()
    }
}

/// Luma of a pixel (ITU-R BT.601).
fn light([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29) >> 8) as u8
}

/// How far two pixels differ, grey levels: compression blurs colours more than light, so colours count less.
fn distance(one: [u8; 3], other: [u8; 3]) -> u8 {
    let channels = one.iter().zip(other);
    let colour = channels.map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
    light(one).abs_diff(light(other)).max(colour / 3)
}

/// A bar at an edge.
struct Bar {
    /// Pixels.
    depth: usize,
    colour: [u8; 3],
    /// Without another at the opposite edge.
    is_clear: bool,
}

impl Bar {
    fn is_like(&self, other: &Self) -> bool {
        self.depth.abs_diff(other.depth) <= 1
            && distance(self.colour, other.colour) <= PARAMS.pair_distance
    }
}

/// The bar at an edge.
fn bar(photo: Photo<'_>, content: ContentBox, edge: Edge) -> Option<Bar> {
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
fn is_repeated(bar: &Bar, photo: Photo<'_>, content: ContentBox, edge: Edge) -> bool {
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

#[cfg(test)]
mod tests;
