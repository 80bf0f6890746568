//! Numbers in large pages.
//!
//! A photo goes once over the weights and maps of all nets, some twenty megabytes, and what it needs next is
//! in no cache. In pages of 4 KiB half of the time goes into finding where they lie: the processor remembers
//! too few of them.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use memmap2::MmapMut;

/// Bytes of a large page.
const PAGE: usize = 2 << 20;

/// Floating-point numbers, zeros at first.
pub(super) struct Numbers {
    place: Place,
    length: usize,
}

enum Place {
    Pages(MmapMut),
    /// Where there are no large pages, or few numbers.
    Heap(Vec<f32>),
}

impl Numbers {
    pub(super) fn zeros(length: usize) -> Self {
        let place = match pages(length * size_of::<f32>()) {
            Some(pages) => Place::Pages(pages),
            None => Place::Heap(vec![0.0; length]),
        };
        Self { place, length }
    }
}

impl From<&[f32]> for Numbers {
    fn from(numbers: &[f32]) -> Self {
        let mut copy = Self::zeros(numbers.len());
        copy.copy_from_slice(numbers);
        copy
    }
}

/// Memory for so many bytes in large pages, unless they would not fill half of one. A last page that would not be
/// filled by half is made of small ones.
#[cfg(target_os = "linux")]
fn pages(bytes: usize) -> Option<MmapMut> {
    let large = (bytes + PAGE / 2) / PAGE * PAGE;
    if large == 0 {
        return None;
    }
    // In whole large pages, or the system would not begin at one.
    let pages = MmapMut::map_anon(bytes.next_multiple_of(PAGE)).ok()?;
    pages
        .advise_range(memmap2::Advice::HugePage, 0, large)
        .ok()?;
    Some(pages)
}

#[cfg(not(target_os = "linux"))]
fn pages(_bytes: usize) -> Option<MmapMut> {
    None
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.place {
            Place::Pages(pages) => &bytemuck::cast_slice(pages)[..self.length],
            Place::Heap(numbers) => numbers,
        }
    }
}

impl DerefMut for Numbers {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.place {
            Place::Pages(pages) => &mut bytemuck::cast_slice_mut(pages)[..self.length],
            Place::Heap(numbers) => numbers,
        }
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} numbers", self.length)
    }
}
