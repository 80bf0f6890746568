//! Where a face is: plain numbers that every stage reads.

use livecheck_image::ContentBox;
use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::schema::Point;

/// An axis-aligned box in pixels of the upright image; may reach beyond its border.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FaceBox))]
pub struct BBox {
    /// Left edge.
    pub x0: f32,
    /// Top edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Bottom edge.
    pub y1: f32,
}

/// Left eye, right eye, nose, left and right mouth corner as `[x, y]` in pixels of the upright
/// image; left and right as seen in the image.
pub type Landmarks = [[f32; 2]; 5];

/// One face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Face {
    /// The face box in pixels of the upright image; may reach beyond its border.
    pub bbox: BBox,
    /// Left eye, right eye, nose, left and right mouth corner as `[x, y]` in pixels; left and
    /// right as seen in the image.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Point>, inline, min_items = 5, max_items = 5))]
    pub landmarks: Landmarks,
    /// Confidence in a whole, unobstructed face, 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub score: f32,
}

impl BBox {
    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.x1 - self.x0
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.y1 - self.y0
    }

    /// The box moved by shares of its width and height.
    #[must_use]
    pub fn moved(&self, right: f32, down: f32) -> Self {
        let (x, y) = (self.width() * right, self.height() * down);
        Self {
            x0: self.x0 + x,
            y0: self.y0 + y,
            x1: self.x1 + x,
            y1: self.y1 + y,
        }
    }

    /// The box with a share of its width and height more on each side; less where it is negative.
    #[must_use]
    pub fn widened(&self, share: f32) -> Self {
        let (x, y) = (self.width() * share, self.height() * share);
        Self {
            x0: self.x0 - x,
            y0: self.y0 - y,
            x1: self.x1 + x,
            y1: self.y1 + y,
        }
    }

    /// Intersection over union with another box, 0 to 1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let intersection = self.intersection(other);
        if intersection <= 0.0 {
            return 0.0;
        }
        intersection / (self.area() + other.area() - intersection)
    }

    /// The share of the smaller of both boxes that lies in the other, 0 to 1.
    pub(crate) fn containment(&self, other: &Self) -> f32 {
        let intersection = self.intersection(other);
        if intersection <= 0.0 {
            return 0.0;
        }
        intersection / self.area().min(other.area())
    }

    fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The area that both boxes cover.
    fn intersection(&self, other: &Self) -> f32 {
        let width = self.x1.min(other.x1) - self.x0.max(other.x0);
        let height = self.y1.min(other.y1) - self.y0.max(other.y0);
        width.max(0.0) * height.max(0.0)
    }
}

impl Face {
    /// The same face where everything is `factor` times as large.
    pub(crate) fn scaled(&self, factor: f32) -> Self {
        let BBox { x0, y0, x1, y1 } = self.bbox;
        let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|at| at * factor);
        Self {
            bbox: BBox { x0, y0, x1, y1 },
            landmarks: self.landmarks.map(|point| point.map(|at| at * factor)),
            score: self.score,
        }
    }

    /// The same face so many pixels further right and down.
    pub(crate) fn moved(&self, right: f32, down: f32) -> Self {
        let BBox { x0, y0, x1, y1 } = self.bbox;
        Self {
            bbox: BBox {
                x0: x0 + right,
                y0: y0 + down,
                x1: x1 + right,
                y1: y1 + down,
            },
            landmarks: self.landmarks.map(|[x, y]| [x + right, y + down]),
            score: self.score,
        }
    }

    /// The same face in pixels of a content alone.
    pub(crate) fn inside(&self, content: &ContentBox) -> Self {
        self.moved(-(content.x0 as f32), -(content.y0 as f32))
    }

    /// Finite everywhere and at least a pixel in size.
    pub(crate) fn is_sane(&self) -> bool {
        let BBox { x0, y0, x1, y1 } = self.bbox;
        [x0, y0, x1, y1].iter().all(|value| value.is_finite())
            && self
                .landmarks
                .iter()
                .flatten()
                .all(|value| value.is_finite())
            && self.bbox.width() >= 1.0
            && self.bbox.height() >= 1.0
    }
}
