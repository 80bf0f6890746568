//! At which size a large JPEG is decoded: once to find the face, and once more around it.

use livecheck_image::{ContentBox, ScaledJpeg};

use crate::{face::BBox, liveness, photo::Photo};

/// Pixels from which a JPEG is large. Of smaller ones most faces need the half or the whole size.
pub(crate) const LARGE_PIXELS: u64 = 8_000_000;

/// Least pixels of the longer side that a reduced photo keeps for the search of faces: half as much again
/// as the input of the net, which then sees nearly what it would see of the whole photo.
const SEARCH_SIDE: u32 = 480;

/// Least width of a face in a reduced photo, pixels: the nets look at no face more closely.
const FACE_WIDTH: f32 = 320.0;

/// Side of the part of a large photo that is made into pixels again, over the longer side of the face:
/// the widest crop, of a face that may be larger by 15 % and moved by a tenth.
const PART_FACTOR: f32 = 1.15 * liveness::VIEW_FACTORS[0] as f32 + 0.2;

/// The reduction at which faces are searched: 2, 4 or 8.
pub(crate) fn search_reduction(jpeg: &ScaledJpeg) -> u32 {
    [8, 4]
        .into_iter()
        .find(|reduction| jpeg.longer_side() / reduction >= SEARCH_SIDE)
        .unwrap_or(2)
}

/// The largest reduction, at most `most`, that leaves a face of `width` (pixels of the whole
/// photo) wide enough; 1 when only the whole photo has.
pub(crate) fn face_reduction(width: f32, most: u32) -> u32 {
    [8, 4, 2]
        .into_iter()
        .find(|reduction| *reduction <= most && width / *reduction as f32 >= FACE_WIDTH)
        .unwrap_or(1)
}

/// The photo at 1/`reduction` of its size, turned as `located`, but black where no crop of a face in `bbox`
/// (pixels of the upright photo at that size) reaches: what is not looked at is not decoded.
pub(crate) fn around_face(
    jpeg: &ScaledJpeg,
    reduction: u32,
    located: &Photo,
    bbox: &BBox,
) -> Option<Photo> {
    let (width, height) = jpeg.size(reduction, located.rotated);
    let content = located.content.reduced(reduction, width, height);
    let side = PART_FACTOR * bbox.width().max(bbox.height());
    // As crops do: shifted inside the content.
    let span = |from: f32, to: f32, start: u32, end: u32| {
        let (start, end) = (start as f32, end as f32);
        let first = ((from + to - side) / 2.0).min(end - side).max(start);
        let last = (first + side).ceil().min(end);
        (first as u32, last as u32)
    };
    let (x0, x1) = span(bbox.x0, bbox.x1, content.x0, content.x1);
    let (y0, y1) = span(bbox.y0, bbox.y1, content.y0, content.y1);
    let region = ContentBox { x0, y0, x1, y1 };
    let image = jpeg.render_region(reduction, located.rotated, &region)?;
    Some(Photo {
        rotated: located.rotated,
        ..Photo::from(image)
    })
}
