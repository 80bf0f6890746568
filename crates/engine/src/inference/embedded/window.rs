//! Where a convolution looks.

/// Two directions, rows first.
pub(super) type Pair = [usize; 2];

/// The window of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: Pair,
    pub(super) stride: Pair,
    /// Zeros before the first row and column.
    pub(super) before: Pair,
    /// Zeros after the last row and column.
    pub(super) after: Pair,
}

impl Window {
    pub(super) const POINT: Self = Self {
        kernel: [1, 1],
        stride: [1, 1],
        before: [0, 0],
        after: [0, 0],
    };

    /// A pixel and those around it.
    pub(super) const AROUND: Self = Self {
        kernel: [3, 3],
        stride: [1, 1],
        before: [1, 1],
        after: [1, 1],
    };

    /// Zeros that a map needs around it.
    pub(super) fn edge(&self) -> usize {
        self.before.into_iter().chain(self.after).max().unwrap_or(0)
    }

    /// Rows and columns of the output.
    pub(super) fn outputs(&self, size: Pair) -> Option<Pair> {
        let along = |axis: usize| {
            let room = (size[axis] + self.before[axis] + self.after[axis])
                .checked_sub(self.kernel[axis])?;
            Some(room / self.stride[axis] + 1)
        };
        Some([along(0)?, along(1)?])
    }
}
