//! What every runtime gives: a network that takes planes of pixels and returns numbers.

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

/// A network with one RGB input, given as three planes of `f32` 0..255.
pub(crate) trait Network: Send + Sync {
    /// Side of the largest input in pixels, which is square; most nets take no other.
    fn size(&self) -> u32;

    /// The outputs in the order of the model file, each flattened row-major. A net is prepared for
    /// each size when that comes first, and stays so: callers know few sizes.
    fn run(&self, planes: Vec<f32>, size: InputSize) -> Result<Vec<Vec<f32>>, String>;

    /// [`Network::run`] on the largest input.
    fn run_square(&self, planes: Vec<f32>) -> Result<Vec<Vec<f32>>, String> {
        self.run(planes, InputSize::square(self.size()))
    }
}

/// Interleaved RGB bytes → three planes of `f32` 0..255, the layout of every net here.
pub(crate) fn planes(rgb: &[u8]) -> Vec<f32> {
    let pixels = rgb.len() / 3;
    let mut planes = vec![0.0; pixels * 3];
    let (red, rest) = planes.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    for (((pixel, r), g), b) in rgb.chunks_exact(3).zip(red).zip(green).zip(blue) {
        *r = f32::from(pixel[0]);
        *g = f32::from(pixel[1]);
        *b = f32::from(pixel[2]);
    }
    planes
}
