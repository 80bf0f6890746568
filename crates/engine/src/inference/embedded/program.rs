//! A net for inputs of one size: where its maps lie, and the steps from one to the next.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use pulp::{Arch, Scalar128b, Simd, WithSimd};

use super::{
    graph::{Graph, Layer, Operation},
    kernels::{Dense, Depthwise, Finish, GROUP, Places},
    memory::Numbers,
    output::Output,
    window::{Pair, Window},
    winograd::{Tiles, Winograd},
};

/// A map, zeros around it included.
#[derive(Debug, Clone, Copy)]
struct Map {
    rows: usize,
    columns: usize,
    channels: usize,
    /// Numbers of a pixel.
    pitch: usize,
    /// Zeros on each side, in pixels.
    edge: usize,
}

impl Map {
    fn length(&self) -> usize {
        (self.rows + 2 * self.edge) * (self.columns + 2 * self.edge) * self.pitch
    }

    /// Where the pixel lies that is `row` and `column` from the first one of the zeros.
    fn beyond_edge(&self, row: usize, column: usize) -> usize {
        (row * (self.columns + 2 * self.edge) + column) * self.pitch
    }

    fn at(&self, row: usize, column: usize) -> usize {
        self.beyond_edge(row + self.edge, column + self.edge)
    }

    /// Writes the zeros around the map.
    fn clear_edge(&self, memory: &mut [f32]) {
        if self.edge == 0 {
            return;
        }
        let row = (self.columns + 2 * self.edge) * self.pitch;
        let side = self.edge * self.pitch;
        // Above and below, with the left and right zeros of the rows beside them.
        let first = self.at(0, 0);
        let end = self.at(self.rows - 1, self.columns);
        memory[..first].fill(0.0);
        memory[end..self.length()].fill(0.0);
        for number in 1..self.rows {
            memory[first + number * row - 2 * side..first + number * row].fill(0.0);
        }
    }

    /// Each pixel, row by row.
    fn pixels(self) -> impl Iterator<Item = usize> {
        (0..self.rows)
            .flat_map(move |row| (0..self.columns).map(move |column| self.at(row, column)))
    }
}

/// The pieces of memory beside one that is written.
struct Others<'a> {
    before: &'a [f32],
    after: &'a [f32],
    /// Where `after` begins.
    end: usize,
}

impl<'a> Others<'a> {
    fn piece(&self, place: &Range<usize>) -> &'a [f32] {
        if place.end <= self.before.len() {
            &self.before[place.clone()]
        } else {
            &self.after[place.start - self.end..place.end - self.end]
        }
    }
}

/// A net for inputs of one size.
#[derive(Debug)]
pub(super) struct Program {
    graph: Arc<Graph>,
    arch: Arch,
    maps: Vec<Map>,
    /// Where each map lies in the memory of a run: a piece of it serves one map after the other.
    pieces: Vec<Range<usize>>,
    /// The end of these pieces.
    maps_end: usize,
    /// Numbers that follow them: see [`Winograd::scratch`].
    scratch: [usize; 2],
    /// Of each layer that is a convolution.
    places: Vec<Option<Places>>,
    /// Of each layer whose convolution is worked out by tiles.
    tiles: Vec<Option<Tiles>>,
    /// The memory of runs that have ended.
    idle: Mutex<Vec<Numbers>>,
}

impl Program {
    /// For inputs of `size` pixels, with the vectors of `arch`; `None` where the net does not fit such an input.
    pub(super) fn new(graph: Arc<Graph>, size: Pair, arch: Arch) -> Option<Self> {
        let mut sizes = vec![size; graph.channels.len()];
        let mut channels = graph.channels.clone();
        let mut edges = vec![0; channels.len()];
        for layer in &graph.layers {
            let first = layer.inputs[0];
            let from = sizes[first];
            sizes[layer.output] = match &layer.operation {
                Operation::Dense(_) | Operation::Winograd | Operation::Depthwise(_) => {
                    let window = layer.operation.window()?;
                    edges[first] = edges[first].max(window.edge());
                    window.outputs(from)?
                }
                Operation::Double => from.map(|side| 2 * side),
                Operation::Flatten => {
                    channels[layer.output] = channels[first] * from[0] * from[1];
                    [1, 1]
                }
                Operation::Mean | Operation::Concat | Operation::Sigmoid => [1, 1],
                Operation::Add => from,
            };
            let alike = matches!(
                layer.operation,
                Operation::Add | Operation::Dense(_) | Operation::Winograd
            );
            if alike
                && layer.inputs[1..]
                    .iter()
                    .any(|other| sizes[*other] != sizes[layer.output])
            {
                return None;
            }
        }
        let maps: Vec<Map> = (0..channels.len())
            .map(|map| Map {
                rows: sizes[map][0],
                columns: sizes[map][1],
                channels: channels[map],
                // Of the input no kernel reads vectors.
                pitch: if map == 0 {
                    channels[0]
                } else {
                    channels[map].next_multiple_of(GROUP)
                },
                edge: edges[map],
            })
            .collect();
        let places = graph
            .layers
            .iter()
            .map(|layer| places(layer, &maps))
            .collect();
        let tiles: Vec<_> = graph
            .layers
            .iter()
            .map(|layer| tiles(layer, &maps))
            .collect();
        let scratch = tiles
            .iter()
            .flatten()
            .map(Tiles::scratch)
            .fold([0, 0], |[a, b], [c, d]| [a.max(c), b.max(d)]);
        let (pieces, maps_end) = pieces(&graph, &maps);
        Some(Self {
            graph,
            arch,
            maps,
            pieces,
            maps_end,
            scratch,
            places,
            tiles,
            idle: Mutex::default(),
        })
    }

    /// Runs the net on an input of the size that it was made for; it and the outputs row by row, pixel by pixel,
    /// channel by channel, the latter each with its columns and rows.
    pub(super) fn run<T: Copy>(&self, pixels: &[T]) -> Vec<Output>
    where
        f32: From<T>,
    {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let [spread, gathered] = self.scratch;
        let mut memory = idle.unwrap_or_else(|| Numbers::zeros(self.maps_end + spread + gathered));
        let (maps, scratch) = memory.split_at_mut(self.maps_end);
        let (spread, gathered) = scratch.split_at_mut(spread);
        let input = &mut maps[self.pieces[0].clone()];
        self.maps[0].clear_edge(input);
        self.fill(pixels, input);
        for number in 0..self.graph.layers.len() {
            let map = self.graph.layers[number].output;
            // No layer reads the piece that it writes.
            let Range { start, end } = self.pieces[map];
            let (before, rest) = maps.split_at_mut(start);
            let (output, after) = rest.split_at_mut(end - start);
            self.maps[map].clear_edge(output);
            let others = Others { before, after, end };
            self.step(number, &others, [spread, gathered], output);
        }
        let outputs = self
            .graph
            .outputs
            .iter()
            .map(|map| self.output(*map, maps))
            .collect();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(memory);
        outputs
    }

    /// Writes the input.
    fn fill<T: Copy>(&self, pixels: &[T], input: &mut [f32])
    where
        f32: From<T>,
    {
        let (map, (less, by)) = (self.maps[0], self.graph.scale);
        let length = map.columns * map.pitch;
        for (row, pixels) in pixels.chunks_exact(length).enumerate() {
            for (to, from) in input[map.at(row, 0)..][..length].iter_mut().zip(pixels) {
                *to = (f32::from(*from) - less) / by;
            }
        }
    }

    fn output(&self, map: usize, maps: &[f32]) -> Output {
        let (values, map) = (&maps[self.pieces[map].clone()], self.maps[map]);
        Output {
            rows: map.rows,
            columns: map.columns,
            values: map
                .pixels()
                .flat_map(|at| &values[at..at + map.channels])
                .copied()
                .collect(),
        }
    }

    /// Runs a kernel with the vectors of this processor; with those that every processor has where it knows
    /// none of the wider ones.
    fn dispatch(&self, kernel: impl WithSimd<Output = ()>) {
        match self.arch {
            Arch::Scalar => Scalar128b.vectorize(kernel),
            arch => arch.dispatch(kernel),
        }
    }

    /// Computes the layer of this number.
    fn step(&self, number: usize, maps: &Others<'_>, scratch: [&mut [f32]; 2], output: &mut [f32]) {
        let layer = &self.graph.layers[number];
        let data = |input: usize| maps.piece(&self.pieces[layer.inputs[input]]);
        let from = self.maps[layer.inputs[0]];
        let to = self.maps[layer.output];
        let weights = &self.graph.weights[layer.weights.clone()];
        let finish = |places| Finish {
            bias: &layer.bias,
            activation: &layer.activation,
            added: (layer.inputs.len() == 2).then(|| data(1)),
            places,
        };
        match (&layer.operation, &self.places[number], &self.tiles[number]) {
            (Operation::Dense(_), Some(places), _) => self.dispatch(Dense {
                weights,
                finish: finish(places),
                input: data(0),
                output,
            }),
            (Operation::Winograd, Some(places), Some(tiles)) => self.dispatch(Winograd {
                weights,
                finish: finish(places),
                tiles,
                input: data(0),
                output,
                scratch,
            }),
            (Operation::Depthwise(_), Some(places), _) => self.dispatch(Depthwise {
                weights,
                finish: finish(places),
                input: data(0),
                output,
            }),
            (Operation::Add, ..) => {
                let other = self.maps[layer.inputs[1]];
                for row in 0..to.rows {
                    let length = to.columns * to.pitch;
                    let one = &data(0)[from.at(row, 0)..][..length];
                    let other = &data(1)[other.at(row, 0)..][..length];
                    for ((sum, a), b) in output[to.at(row, 0)..][..length]
                        .iter_mut()
                        .zip(one)
                        .zip(other)
                    {
                        *sum = a + b;
                    }
                }
            }
            (Operation::Double, ..) => {
                for row in 0..to.rows {
                    for column in 0..to.columns {
                        let pixel = &data(0)[from.at(row / 2, column / 2)..][..to.pitch];
                        output[to.at(row, column)..][..to.pitch].copy_from_slice(pixel);
                    }
                }
            }
            (Operation::Mean, ..) => {
                let sums = &mut output[..to.pitch];
                sums.fill(0.0);
                for at in from.pixels() {
                    for (sum, value) in sums.iter_mut().zip(&data(0)[at..]) {
                        *sum += value;
                    }
                }
                let count = (from.rows * from.columns) as f32;
                sums.iter_mut().for_each(|sum| *sum /= count);
            }
            (Operation::Flatten, ..) => {
                let count = from.rows * from.columns;
                for (pixel, at) in from.pixels().enumerate() {
                    for (channel, value) in data(0)[at..][..from.channels].iter().enumerate() {
                        output[channel * count + pixel] = *value;
                    }
                }
            }
            (Operation::Concat, ..) => {
                let mut at = 0;
                for input in 0..layer.inputs.len() {
                    let channels = self.maps[layer.inputs[input]].channels;
                    output[at..at + channels].copy_from_slice(&data(input)[..channels]);
                    at += channels;
                }
            }
            (Operation::Sigmoid, ..) => {
                for (to, from) in output.iter_mut().zip(data(0)).take(to.channels) {
                    *to = 1.0 / (1.0 + (-from).exp());
                }
            }
            (Operation::Dense(_) | Operation::Winograd | Operation::Depthwise(_), ..) => {}
        }
    }
}

fn places(layer: &Layer, maps: &[Map]) -> Option<Places> {
    let window = layer.operation.window()?;
    let (from, to) = (maps[layer.inputs[0]], maps[layer.output]);
    let Window {
        kernel,
        stride,
        before,
        ..
    } = window;
    let inputs = (0..to.rows)
        .flat_map(|row| (0..to.columns).map(move |column| (row, column)))
        .map(|(row, column)| {
            from.beyond_edge(
                row * stride[0] + from.edge - before[0],
                column * stride[1] + from.edge - before[1],
            )
        });
    let depthwise = matches!(layer.operation, Operation::Depthwise(_));
    // The taps of a row lie together where pixels do.
    let together = !depthwise && from.pitch == from.channels;
    let columns = if together { 1 } else { kernel[1] };
    let runs = (0..kernel[0])
        .flat_map(|row| (0..columns).map(move |column| from.beyond_edge(row, column)));
    Some(Places {
        inputs: inputs.collect(),
        runs: runs.collect(),
        length: if together {
            kernel[1] * from.channels
        } else {
            from.channels
        },
        outputs: to.pixels().collect(),
        added: layer
            .inputs
            .get(1)
            .map_or_else(Vec::new, |added| maps[*added].pixels().collect()),
    })
}

fn tiles(layer: &Layer, maps: &[Map]) -> Option<Tiles> {
    let Operation::Winograd = layer.operation else {
        return None;
    };
    let (from, to) = (maps[layer.inputs[0]], maps[layer.output]);
    let beyond = from.edge - 1;
    Some(Tiles::new(
        [to.rows, to.columns],
        from.channels,
        [from.pitch, to.pitch],
        |row, column| from.beyond_edge(row + beyond, column + beyond),
    ))
}

/// For each map its piece of the memory, and the pieces' end. What no layer reads any more makes
/// room for the next map: the less memory a run goes over, the more of it stays in the cache.
fn pieces(graph: &Graph, maps: &[Map]) -> (Vec<Range<usize>>, usize) {
    let mut last = vec![0; maps.len()];
    for (number, layer) in graph.layers.iter().enumerate() {
        for input in &layer.inputs {
            last[*input] = number;
        }
    }
    for output in &graph.outputs {
        last[*output] = graph.layers.len();
    }
    let (mut pieces, mut lengths) = (vec![0; maps.len()], vec![maps[0].length()]);
    let mut idle: Vec<usize> = Vec::new();
    for (number, layer) in graph.layers.iter().enumerate() {
        let length = maps[layer.output].length();
        // The smallest that is large enough; otherwise the largest, which grows.
        let place = (0..idle.len()).min_by_key(|place| {
            let room = lengths[idle[*place]];
            (
                room < length,
                if room < length {
                    usize::MAX - room
                } else {
                    room
                },
            )
        });
        let piece = place.map_or(lengths.len(), |place| idle.swap_remove(place));
        if piece == lengths.len() {
            lengths.push(0);
        }
        lengths[piece] = lengths[piece].max(length);
        pieces[layer.output] = piece;
        let mut done: Vec<usize> = layer.inputs.clone();
        done.sort_unstable();
        done.dedup();
        idle.extend(
            done.into_iter()
                .filter(|input| last[*input] == number)
                .map(|input| pieces[input]),
        );
    }
    let mut places = Vec::new();
    let mut end = 0;
    for length in lengths {
        places.push(end..end + length);
        end += length;
    }
    let pieces = pieces.into_iter().map(|piece| places[piece].clone());
    (pieces.collect(), end)
}
