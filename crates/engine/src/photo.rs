//! A decoded photo, and the part of it that is judged.

use std::borrow::Cow;

use livecheck_image::{ContentBox, DecodedImage};

use crate::verdict::ImageInfo;

/// A decoded image: upright, 8 bits a channel, RGB. Large JPEGs are decoded at a reduced size.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Width of `rgb`, pixels.
    pub width: u32,
    /// Height of `rgb`, pixels.
    pub height: u32,
    /// `height × width × 3` bytes, row-major, R then G then B. Of a large JPEG whose face needs more
    /// pixels than the search did, only the surroundings of the face; the rest is black.
    pub rgb: Vec<u8>,
    /// `"jpeg"`, `"png"` or `"webp"`.
    pub format: &'static str,
    /// Pixels of the whole photo for one of `rgb`, along a side: 1, 2, 4 or 8.
    pub(crate) reduction: u32,
    /// Size of the whole photo, pixels.
    pub(crate) full_width: u32,
    pub(crate) full_height: u32,
    /// What is left without one-coloured borders, in pixels of the whole photo.
    pub(crate) content: ContentBox,
    /// By how many degrees it was turned clockwise, beyond what EXIF says.
    pub(crate) rotated: u16,
}

impl From<DecodedImage> for Photo {
    fn from(image: DecodedImage) -> Self {
        let DecodedImage {
            width,
            height,
            rgb,
            format,
            reduction,
            full_width,
            full_height,
        } = image;
        Self {
            reduction,
            full_width,
            full_height,
            content: ContentBox::whole(full_width, full_height),
            ..Self::new(width, height, rgb, format)
        }
    }
}

impl Photo {
    /// A photo at its full size.
    #[must_use]
    pub fn new(width: u32, height: u32, rgb: Vec<u8>, format: &'static str) -> Self {
        Self {
            width,
            height,
            rgb,
            format,
            reduction: 1,
            full_width: width,
            full_height: height,
            content: ContentBox::whole(width, height),
            rotated: 0,
        }
    }

    /// Width and height of the whole upright photo, pixels: what answers name.
    #[must_use]
    pub fn full_size(&self) -> (u32, u32) {
        (self.full_width, self.full_height)
    }

    /// How many pixels of the whole photo one of `rgb` stands for, along a side: 1, 2, 4 or 8.
    #[must_use]
    pub fn reduction(&self) -> u32 {
        self.reduction
    }

    /// What is left of the whole upright photo without one-coloured borders: what is judged and what
    /// limits hold for.
    #[must_use]
    pub fn content(&self) -> ContentBox {
        self.content
    }

    /// By how many degrees (0, 90, 180 or 270) it was turned clockwise, beyond what EXIF says, because
    /// its face was not upright.
    #[must_use]
    pub fn rotated(&self) -> u16 {
        self.rotated
    }

    /// What answers say of it.
    pub(crate) fn info(&self) -> ImageInfo {
        ImageInfo {
            width: self.full_width,
            height: self.full_height,
            content: self.content,
            rotated: self.rotated,
            format: self.format,
        }
    }

    /// The content in pixels of `rgb`.
    pub(crate) fn content_here(&self) -> ContentBox {
        self.content
            .reduced(self.reduction, self.width, self.height)
    }

    /// The photo without its border.
    pub(crate) fn cut(&self) -> Cow<'_, Self> {
        let content = self.content_here();
        if content == ContentBox::whole(self.width, self.height) {
            return Cow::Borrowed(self);
        }
        let row_bytes = self.width as usize * 3;
        let columns = content.x0 as usize * 3..content.x1 as usize * 3;
        let rows = self.rgb.chunks_exact(row_bytes);
        let rgb = rows
            .skip(content.y0 as usize)
            .take(content.height() as usize)
            .flat_map(|row| &row[columns.clone()])
            .copied()
            .collect();
        let mut cut = Self::new(content.width(), content.height(), rgb, self.format);
        cut.reduction = self.reduction;
        Cow::Owned(cut)
    }

    /// Turned clockwise by so many quarters of a circle.
    #[must_use]
    pub fn turned(&self, quarters: u16) -> Self {
        let (width, height) = (self.width as usize, self.height as usize);
        let (new_width, new_height) = match quarters % 2 {
            0 => (width, height),
            _ => (height, width),
        };
        let mut rgb = vec![0; self.rgb.len()];
        // Square by square: both pictures stay in the cache.
        const SQUARE: usize = 32;
        for top in (0..new_height).step_by(SQUARE) {
            for left in (0..new_width).step_by(SQUARE) {
                for y in top..(top + SQUARE).min(new_height) {
                    for x in left..(left + SQUARE).min(new_width) {
                        let (from_x, from_y) = match quarters % 4 {
                            1 => (y, height - 1 - x),
                            2 => (width - 1 - x, height - 1 - y),
                            3 => (width - 1 - y, x),
                            _ => (x, y),
                        };
                        let (to, from) = ((y * new_width + x) * 3, (from_y * width + from_x) * 3);
                        if let (Some(to), Some(from)) =
                            (rgb.get_mut(to..to + 3), self.rgb.get(from..from + 3))
                        {
                            to.copy_from_slice(from);
                        }
                    }
                }
            }
        }
        let ContentBox { x0, y0, x1, y1 } = self.content;
        let (right, bottom) = (self.full_width, self.full_height);
        let [x0, y0, x1, y1] = match quarters % 4 {
            1 => [bottom - y1, x0, bottom - y0, x1],
            2 => [right - x1, bottom - y1, right - x0, bottom - y0],
            3 => [y0, right - x1, y1, right - x0],
            _ => [x0, y0, x1, y1],
        };
        let (full_width, full_height) = match quarters % 2 {
            0 => (right, bottom),
            _ => (bottom, right),
        };
        Self {
            width: new_width as u32,
            height: new_height as u32,
            rgb,
            full_width,
            full_height,
            content: ContentBox { x0, y0, x1, y1 },
            rotated: (self.rotated + 90 * quarters) % 360,
            ..*self
        }
    }
}
