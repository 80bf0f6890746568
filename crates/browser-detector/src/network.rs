//! The network as a whole: pixels to faces.

use crate::{
    convolution::{Convolution, Map, Then},
    faces::{Face, candidates, suppress},
    layers::LAYERS,
};

/// Made by `build.rs` from the engine's model.
static WEIGHTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/weights.bin"));

/// Pixels of a cell of each of the three heads.
const STRIDES: [usize; 3] = [8, 16, 32];

/// The face detector.
pub struct Detector {
    layers: Vec<Convolution>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Unpacks the weights.
    #[must_use]
    pub fn new() -> Self {
        let mut packed = WEIGHTS;
        Self {
            layers: LAYERS
                .iter()
                .map(|layer| Convolution::unpack(layer, &mut packed))
                .collect(),
        }
    }

    /// Every face with a score of at least 0.20 in an RGBA picture, best first, in its pixels.
    ///
    /// Both sides must be multiples of 32; fill up with black at the right and the bottom. Any other
    /// picture has no faces. 256 pixels for the longer side suit a selfie.
    #[must_use]
    pub fn detect(&self, rgba: &[u8], width: usize, height: usize) -> Vec<Face> {
        let fits = width > 0 && height > 0 && width.is_multiple_of(32) && height.is_multiple_of(32);
        if !fits
            || width
                .checked_mul(height)
                .and_then(|size| size.checked_mul(4))
                != Some(rgba.len())
        {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (map, stride) in self
            .heads(&normalised(rgba, width, height))
            .iter()
            .zip(STRIDES)
        {
            candidates(map, stride, &mut found);
        }
        suppress(found)
    }

    /// The three outputs, by stride.
    fn heads(&self, input: &Map) -> [Map; 3] {
        let [
            stem0,
            stem1,
            down8,
            first8,
            second8,
            down16,
            first16,
            second16,
            down32,
            first32,
            second32,
            last32,
            lateral8,
            lateral16,
            lateral32,
            head8,
            head16,
            head32,
            out8,
            out16,
            out32,
        ] = self.layers.as_slice()
        else {
            unreachable!("a detector has the layers of LAYERS")
        };
        let stem = stem1.run(&stem0.run(input, 2, Then::Relu), 2, Then::Relu);
        let block = |start: Map, first: &Convolution, second: &Convolution| {
            let inner = first.run(&start, 1, Then::Relu);
            second.run(&inner, 1, Then::AddRelu(&start))
        };
        let at8 = block(down8.run(&stem, 2, Then::Relu), first8, second8);
        let at16 = block(down16.run(&at8, 2, Then::Relu), first16, second16);
        let at32 = block(down32.run(&at16, 2, Then::Relu), first32, second32);
        let at32 = last32.run(&at32, 1, Then::Relu);
        let top = lateral32.run(&at32, 1, Then::Relu);
        let mut middle = lateral16.run(&at16, 1, Then::Relu);
        middle.add_enlarged(&top);
        let mut bottom = lateral8.run(&at8, 1, Then::Relu);
        bottom.add_enlarged(&middle);
        [
            (bottom, head8, out8),
            (middle, head16, out16),
            (top, head32, out32),
        ]
        .map(|(map, head, out)| out.run(&head.run(&map, 1, Then::Relu), 1, Then::Linear))
    }
}

/// The picture as the network was trained on it.
fn normalised(rgba: &[u8], width: usize, height: usize) -> Map {
    let mut map = Map::zeros(width, height, 3);
    for (y, row) in rgba.chunks_exact(4 * width).enumerate() {
        for (x, pixel) in row.chunks_exact(4).enumerate() {
            for (to, from) in map.pixel_mut(x, y).iter_mut().zip(pixel) {
                *to = (f32::from(*from) - 127.5) / 64.0;
            }
        }
    }
    map
}
