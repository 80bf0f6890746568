//! A photo as seen from its edges.

use crate::content_box::ContentBox;

/// Pixels to look at: interleaved RGB, row by row.
#[derive(Clone, Copy)]
pub(super) struct Photo<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: &'a [u8],
}

/// An edge of a rectangle.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Edge {
    Left,
    Top,
    Right,
    Bottom,
}

/// Two edges that face each other.
pub(super) const PAIRS: [[Edge; 2]; 2] = [[Edge::Left, Edge::Right], [Edge::Top, Edge::Bottom]];

/// The content less a bar.
pub(super) fn without(mut content: ContentBox, edge: Edge, depth: usize) -> ContentBox {
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
pub(super) struct View<'a> {
    pub(super) rgb: &'a [u8],
    start: isize,
    /// Bytes from one point of the edge to the next, and from one depth to the next.
    along: isize,
    inwards: isize,
    pub(super) length: usize,
    pub(super) depth: usize,
}

impl<'a> View<'a> {
    pub(super) fn of(photo: Photo<'a>, content: ContentBox, edge: Edge) -> Self {
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
    pub(super) fn places(&self, points: usize) -> Vec<usize> {
        let points = points.min(self.length);
        let place = |point| (2 * point + 1) * self.length / (2 * points);
        (0..points).map(place).collect()
    }

    pub(super) fn pixel(&self, along: usize, depth: usize) -> [u8; 3] {
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
pub(super) fn light([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29) >> 8) as u8
}

/// How far two pixels differ, grey levels: compression blurs colours more than light, so colours count less.
pub(super) fn distance(one: [u8; 3], other: [u8; 3]) -> u8 {
    let channels = one.iter().zip(other);
    let colour = channels.map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
    light(one).abs_diff(light(other)).max(colour / 3)
}
