//! A rectangle of pixels.

use serde::Serialize;

/// A part of the upright photo in its whole pixels: `x0` and `y0` are inside, `x1` and `y1` are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContentBox {
    /// Left edge.
    pub x0: u32,
    /// Top edge.
    pub y0: u32,
    /// Right edge.
    pub x1: u32,
    /// Bottom edge.
    pub y1: u32,
}

impl ContentBox {
    /// All of a photo.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        Self {
            x0: 0,
            y0: 0,
            x1: width,
            y1: height,
        }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.x1 - self.x0
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.y1 - self.y0
    }

    /// A part of a reduced photo of `side` pixels (width and height), in pixels of the whole one, which
    /// has `full`.
    #[must_use]
    pub fn enlarged(self, reduction: u32, side: (u32, u32), full: (u32, u32)) -> Self {
        let times = |at: u32, side: u32, full: u32| {
            // The last pixel of a reduced photo may stand for fewer.
            if at == side { full } else { at * reduction }
        };
        let Self { x0, y0, x1, y1 } = self;
        Self {
            x0: x0 * reduction,
            y0: y0 * reduction,
            x1: times(x1, side.0, full.0),
            y1: times(y1, side.1, full.1),
        }
    }

    /// In pixels of which each stands for `reduction` along a side, and only those that lie inside a photo of
    /// `width` and `height`.
    #[must_use]
    pub fn reduced(&self, reduction: u32, width: u32, height: u32) -> Self {
        let x0 = self.x0.div_ceil(reduction).min(width - 1);
        let y0 = self.y0.div_ceil(reduction).min(height - 1);
        // The last pixel of a reduced photo may stand for fewer.
        let last = |end: u32, full: bool, side: u32| {
            if full { side } else { end / reduction }
        };
        let right = self.x1.div_ceil(reduction) >= width;
        let bottom = self.y1.div_ceil(reduction) >= height;
        Self {
            x0,
            y0,
            x1: last(self.x1, right, width).clamp(x0 + 1, width),
            y1: last(self.y1, bottom, height).clamp(y0 + 1, height),
        }
    }
}
