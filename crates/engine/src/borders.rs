//! Bars and frames of one colour at the edges of a photo: letterbox, pillarbox, borders.
//!
//! From points along an edge the photo is walked inwards until its colour changes. A bar ends at the same
//! depth almost everywhere, in a hard step; the end of a dark room, a white wall or a coat is ragged or
//! soft, and their colour varies by more than compression makes a bar's vary.

use crate::photo::{ContentBox, Photo};

/// How a bar is told.
struct Params {
    /// Points along an edge that are looked at.
    points: usize,
    /// Largest deviation from the bar's colour (largest difference of a channel) that all but a few
    /// points of its outer line keep, grey levels.
    outer_deviation: u8,
    /// Share of the points that may be worse.
    outliers: f32,
    /// Least share of the points of the outer line that keep `inner_deviation`: a camera's noise is in
    /// most pixels, what compression spreads is not.
    outer_calm: f32,
    /// As `outer_deviation`, for what is further than `ringing` from the picture: there JPEG leaves one
    /// colour.
    inner_deviation: u8,
    /// Pixels from the picture to which compression spreads it: an MCU of 4:2:0.
    ringing: usize,
    /// Least share of the points whose colour changes at the very depth of the bar.
    straight: f32,
    /// Most points whose colour changes before it, beyond what compression explains.
    early: f32,
    /// Least step of the colour where the bar ends, grey levels.
    step: u8,
    /// Largest share of the photo that a bar on one side may take.
    depth: f32,
}

const PARAMS: Params = Params {
    points: 160,
    outer_deviation: 20,
    outliers: 0.03,
    outer_calm: 0.85,
    inner_deviation: 2,
    ringing: 16,
    straight: 0.55,
    early: 0.03,
    step: 12,
    depth: 0.45,
};

/// Times that the four edges are looked at: a frame in another, or bars that a frame hid.
const ROUNDS: usize = 3;

/// An edge of a rectangle.
#[derive(Clone, Copy)]
enum Edge {
    Left,
    Top,
    Right,
    Bottom,
}

const EDGES: [Edge; 4] = [Edge::Left, Edge::Top, Edge::Right, Edge::Bottom];

/// What is left of the photo, in its pixels as decoded.
pub(crate) fn content(photo: &Photo) -> ContentBox {
    let whole = ContentBox::whole(photo.width, photo.height);
    if photo.rgb.len() != photo.width as usize * photo.height as usize * 3 {
        return whole;
    }
    let mut content = whole;
    for _ in 0..ROUNDS {
        let before = content;
        for edge in EDGES {
            let depth = bar(photo, content, edge) as u32;
            match edge {
                Edge::Left => content.x0 += depth,
                Edge::Top => content.y0 += depth,
                Edge::Right => content.x1 -= depth,
                Edge::Bottom => content.y1 -= depth,
            }
        }
        if content == before {
            break;
        }
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
    fn of(photo: &'a Photo, content: ContentBox, edge: Edge) -> Self {
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
            rgb: &photo.rgb,
            start,
            along,
            inwards,
            length,
            depth,
        }
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

/// Compression blurs colours more than light: so many grey levels more of a channel are its work.
const COLOUR_RINGING: u8 = 40;

/// Luma of a pixel (ITU-R BT.601).
fn light([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29) >> 8) as u8
}

/// The largest difference of a channel.
fn difference(one: [u8; 3], other: [u8; 3]) -> u8 {
    let channels = one.iter().zip(other);
    channels.map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0)
}

/// How many pixels deep the bar at an edge is; 0 where there is none.
fn bar(photo: &Photo, content: ContentBox, edge: Edge) -> usize {
    let Params {
        points,
        outer_deviation,
        outliers,
        outer_calm,
        inner_deviation,
        ringing,
        straight,
        early,
        step,
        depth,
    } = PARAMS;
    let view = View::of(photo, content, edge);
    let points = points.min(view.length);
    let most = ((view.depth as f32 * depth) as usize).min(view.depth.saturating_sub(4));
    if points < 16 || most < 1 {
        return 0;
    }
    let places: Vec<usize> = (0..points)
        .map(|point| (2 * point + 1) * view.length / (2 * points))
        .collect();

    // The bar's colour, and how far its outer line strays from it.
    let outer: Vec<[u8; 3]> = places.iter().map(|at| view.pixel(*at, 0)).collect();
    let colour = [0, 1, 2].map(|channel| {
        let mut levels: Vec<u8> = outer.iter().map(|pixel| pixel[channel]).collect();
        levels.sort_unstable();
        levels[points / 2]
    });
    let mut strays: Vec<u8> = outer.iter().map(|p| difference(*p, colour)).collect();
    strays.sort_unstable();
    let allowed = (points as f32 * outliers) as usize;
    let stray = strays[points - 1 - allowed];
    if stray > outer_deviation {
        return 0;
    }
    let calm = strays
        .iter()
        .filter(|stray| **stray <= inner_deviation)
        .count();
    if (calm as f32) < outer_calm * points as f32 {
        return 0;
    }
    // Noise of the bar is no change of its colour.
    let change = (2 * stray + 4).max(step);

    // Where the colour changes, at each place.
    let ends: Vec<usize> = places
        .iter()
        .map(|at| {
            (1..=most + 1)
                .find(|depth| {
                    let pixel = view.pixel(*at, *depth);
                    light(pixel).abs_diff(light(colour)) > change
                        || difference(pixel, colour) > change.saturating_add(COLOUR_RINGING)
                })
                .unwrap_or(usize::MAX)
        })
        .collect();
    let Some(depth) = commonest(&ends, most) else {
        return 0;
    };
    let share = |count: usize| count as f32 / points as f32;
    let near = ends
        .iter()
        .zip(&places)
        .filter(|(end, at)| {
            // A hard step, from one pixel to the next.
            **end == depth && {
                let (before, behind) = (view.pixel(**at, depth - 1), view.pixel(**at, depth));
                light(before)
                    .abs_diff(light(behind))
                    .max(difference(before, behind) / 3)
                    >= step
            }
        })
        .count();
    let before = ends
        .iter()
        .filter(|end| end.saturating_add(ringing) < depth)
        .count();
    if share(near) < straight || share(before) > early {
        return 0;
    }
    // Away from the picture there is one colour.
    let calm = depth.saturating_sub(ringing);
    let lines = calm.min(24);
    let noisy = (0..lines)
        .flat_map(|line| places.iter().map(move |at| (*at, line * calm / lines)))
        .filter(|(at, depth)| difference(view.pixel(*at, *depth), colour) > inner_deviation)
        .count();
    if noisy as f32 > outliers * (lines * points) as f32 {
        return 0;
    }
    depth
}

/// The depth at which most of `ends` lie.
fn commonest(ends: &[usize], most: usize) -> Option<usize> {
    let mut counts = vec![0_usize; most + 3];
    for end in ends {
        if let Some(count) = counts.get_mut(*end) {
            *count += 1;
        }
    }
    (1..=most)
        .filter(|depth| counts[*depth] > 0)
        .max_by_key(|depth| counts[*depth])
}

#[cfg(test)]
mod tests;
