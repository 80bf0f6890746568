//! What every runtime gives: a network that takes pixels and returns numbers.

/// Sides of a net's input in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InputSize {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl InputSize {
    pub(crate) const fn square(side: u32) -> Self {
        Self {
            width: side,
            height: side,
        }
    }

    /// Batch, channels, rows, columns.
    pub(super) fn shape(self) -> [usize; 4] {
        [1, 3, self.height as usize, self.width as usize]
    }
}

/// A network with one RGB input.
pub(crate) trait Network: Send + Sync {
    /// Side of the largest input in pixels, which is square; most nets take no other.
    fn size(&self) -> u32;

    /// The outputs for interleaved RGB bytes in the order of the model file, each flattened row-major. A net is
    /// prepared for each size when that comes first, and stays so: callers know few sizes.
    fn run(&self, rgb: &[u8], size: InputSize) -> Result<Vec<Vec<f32>>, String>;

    /// [`Network::run`] on the largest input.
    fn run_square(&self, rgb: &[u8]) -> Result<Vec<Vec<f32>>, String> {
        self.run(rgb, InputSize::square(self.size()))
    }
}
