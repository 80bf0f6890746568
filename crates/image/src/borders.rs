//! What lies about a photo: bars and frames of one colour (letterbox, pillarbox, border), and fills of the
//! photo itself, enlarged and blurred. `bars.rs` and `fills.rs` say how each is recognised.
//!
//! `docs/explain/decisions/0010-borders.md` has the figures, and the command that prints them.

mod bars;
mod fills;
mod view;

use crate::content_box::ContentBox;
use bars::{Bar, PICTURE_LINES, bar, is_repeated};
use view::{Edge, PAIRS, Photo, View, without};

/// Times that the four edges are looked at: a frame in another, or bars that a frame hid.
const ROUNDS: usize = 3;

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

#[cfg(test)]
mod tests;
