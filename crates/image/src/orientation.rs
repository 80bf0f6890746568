//! Where pixels go when an image is turned or mirrored, as EXIF says.

use image::metadata::Orientation;

/// Left, top, right and bottom.
pub(crate) struct Area(pub(crate) [u32; 4]);

impl Area {
    /// Where it lies when its picture of `size` is turned.
    pub(crate) fn turned(&self, orientation: Orientation, (width, height): (u32, u32)) -> Self {
        let [left, top, right, bottom] = self.0;
        let corner = |x: u32, y: u32| match orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (width - x, y),
            Orientation::FlipVertical => (x, height - y),
            Orientation::Rotate180 => (width - x, height - y),
            Orientation::Rotate90 => (height - y, x),
            Orientation::Rotate270 => (y, width - x),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate270FlipH => (height - y, width - x),
        };
        let (one, other) = (corner(left, top), corner(right, bottom));
        Self([
            one.0.min(other.0),
            one.1.min(other.1),
            one.0.max(other.0),
            one.1.max(other.1),
        ])
    }
}

/// Width and height of a picture that is turned.
pub(crate) fn turned_size(orientation: Orientation, (width, height): (u32, u32)) -> (u32, u32) {
    let Area([.., right, bottom]) =
        Area([0, 0, width, height]).turned(orientation, (width, height));
    (right, bottom)
}

/// The same, and then clockwise by so many degrees.
pub(crate) fn turned_further(orientation: Orientation, degrees: u16) -> Orientation {
    // Quarters of a circle, and whether it is then mirrored from left to right.
    let (quarters, mirrored) = match orientation {
        Orientation::NoTransforms => (0, false),
        Orientation::Rotate90 => (1, false),
        Orientation::Rotate180 => (2, false),
        Orientation::Rotate270 => (3, false),
        Orientation::FlipHorizontal => (0, true),
        Orientation::Rotate90FlipH => (1, true),
        Orientation::FlipVertical => (2, true),
        Orientation::Rotate270FlipH => (3, true),
    };
    let further = degrees / 90 % 4;
    // A mirrored picture turns the other way.
    let further = if mirrored { 4 - further } else { further };
    match ((quarters + further) % 4, mirrored) {
        (0, false) => Orientation::NoTransforms,
        (1, false) => Orientation::Rotate90,
        (2, false) => Orientation::Rotate180,
        (3, false) => Orientation::Rotate270,
        (0, true) => Orientation::FlipHorizontal,
        (1, true) => Orientation::Rotate90FlipH,
        (2, true) => Orientation::FlipVertical,
        _ => Orientation::Rotate270FlipH,
    }
}

/// What turns back.
pub(crate) fn inverse_orientation(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        own => own,
    }
}
