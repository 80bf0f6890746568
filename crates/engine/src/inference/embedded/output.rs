//! What a net gives.

/// A map that leaves the net, without zeros around it: row by row, pixel by pixel, channel by channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
}
