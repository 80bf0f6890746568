//! A net as the list of its layers, read from its ONNX file.
//!
//! What follows a convolution and needs no look at other pixels is made part of it: the activation, and the
//! sum with a map from before.

use std::{collections::HashMap, ops::Range};

use super::{
    faces,
    kernels::{Activation, BLOCK, GROUP},
    memory::Numbers,
    onnx,
    window::Window,
    winograd,
};

/// What a layer computes.
#[derive(Debug)]
pub(super) enum Operation {
    /// Of all channels together; a second input is added before the activation.
    Dense(Window),
    /// The same for [`Window::AROUND`], with weights in the other basis of [`winograd`].
    Winograd,
    /// Of each channel by itself.
    Depthwise(Window),
    /// The sum of two maps.
    Add,
    /// Each pixel four times.
    Double,
    /// The mean of all pixels.
    Mean,
    /// One pixel of all channels of all pixels, channel by channel.
    Flatten,
    /// The channels of several maps of one pixel, one after the other.
    Concat,
    Sigmoid,
}

impl Operation {
    /// What of the input a number of the output is worked out of, if that is not everything.
    pub(super) fn window(&self) -> Option<Window> {
        match self {
            Self::Dense(window) | Self::Depthwise(window) => Some(*window),
            Self::Winograd => Some(Window::AROUND),
            _ => None,
        }
    }
}

/// A layer: maps are known by their numbers, 0 is the input of the net.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) operation: Operation,
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    /// Where they lie in [`Graph::weights`], packed as the kernels want them.
    pub(super) weights: Range<usize>,
    pub(super) bias: Vec<f32>,
    pub(super) activation: Activation,
}

/// A net, whatever the size of its input.
#[derive(Debug)]
pub(super) struct Graph {
    /// Side of the input in pixels, where the file says it.
    pub(super) side: Option<u32>,
    /// What the input is reduced by, and then divided by.
    pub(super) scale: (f32, f32),
    pub(super) layers: Vec<Layer>,
    /// Those of all layers.
    pub(super) weights: Numbers,
    /// Channels of each map, where they do not depend on the input's size.
    pub(super) channels: Vec<usize>,
    /// Maps that leave the net.
    pub(super) outputs: Vec<usize>,
    /// Whether the outputs are worked out of these maps by [`faces`].
    pub(super) faces: bool,
}

/// A tensor of the file.
#[derive(Debug, Clone)]
struct Constant {
    dims: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Debug, Clone)]
enum Value {
    Constant(Constant),
    Map(usize),
}

impl Graph {
    /// Reads a net of one input of three channels.
    ///
    /// # Errors
    /// Which operator is not known here, or used in a way that is not.
    pub(super) fn read(model: &onnx::Model) -> Result<Self, String> {
        let graph = model.graph.as_ref().ok_or("the file holds no graph")?;
        let constants = constants(graph);
        let input = graph
            .input
            .iter()
            .find(|input| !constants.contains_key(input.name.as_str()))
            .ok_or("the graph has no input")?;
        let mut reader = Reader {
            values: HashMap::from([(input.name.as_str(), Value::Map(0))]),
            uses: uses(graph),
            weights: Vec::new(),
            graph: Self {
                side: input.side(),
                scale: (0.0, 1.0),
                layers: Vec::new(),
                weights: Numbers::zeros(0),
                channels: vec![3],
                outputs: Vec::new(),
                faces: graph
                    .output
                    .iter()
                    .map(|output| output.name.as_str())
                    .eq(faces::OUTPUTS),
            },
        };
        for (name, constant) in constants {
            reader.values.insert(name, Value::Constant(constant));
        }
        for node in graph.node.iter().filter(|node| node.op_type != "Constant") {
            if reader.layer(node).is_some() {
                continue;
            }
            if reader.graph.faces {
                break;
            }
            return Err(format!(
                "the embedded runtime does not know the operator {} as {} uses it",
                node.op_type,
                node.output.first().map_or("the file", String::as_str)
            ));
        }
        let Reader {
            values,
            weights,
            graph: mut read,
            ..
        } = reader;
        read.weights = Numbers::from(weights.as_slice());
        read.outputs = if read.faces {
            let maps = read.layers.iter().map(|layer| layer.output);
            maps.filter(|map| read.channels[*map] == faces::CHANNELS)
                .collect()
        } else {
            let maps = graph
                .output
                .iter()
                .map(|output| match values.get(output.name.as_str()) {
                    Some(Value::Map(map)) => Ok(*map),
                    _ => Err(format!("no layer computes the output {}", output.name)),
                });
            maps.collect::<Result<_, _>>()?
        };
        Ok(read)
    }
}

fn attribute<'a>(node: &'a onnx::Node, name: &str) -> Option<&'a onnx::Attribute> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name == name)
}

fn ints<const N: usize>(node: &onnx::Node, name: &str, default: [usize; N]) -> Option<[usize; N]> {
    let Some(attribute) = attribute(node, name) else {
        return Some(default);
    };
    let ints: Vec<usize> = attribute
        .ints
        .iter()
        .map(|i| usize::try_from(*i))
        .collect::<Result<_, _>>()
        .ok()?;
    ints.try_into().ok()
}

fn int(node: &onnx::Node, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

/// Every tensor of the file that is known before a photo comes, if it is of floats.
fn constants(graph: &onnx::Graph) -> HashMap<&str, Constant> {
    let initial = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor));
    let nodes = graph
        .node
        .iter()
        .filter(|node| node.op_type == "Constant")
        .filter_map(|node| {
            let tensor = attribute(node, "value")?.t.as_ref()?;
            Some((node.output.first()?.as_str(), tensor))
        });
    initial
        .chain(nodes)
        .filter_map(|(name, tensor)| Some((name, constant(tensor)?)))
        .collect()
}

fn constant(tensor: &onnx::Tensor) -> Option<Constant> {
    if tensor.data_type != onnx::Tensor::FLOAT {
        return None;
    }
    let dims = tensor
        .dims
        .iter()
        .map(|dim| usize::try_from(*dim))
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let values = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        let (numbers, _) = tensor.raw_data.as_chunks::<4>();
        numbers
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    (values.len() == dims.iter().product::<usize>()).then_some(Constant { dims, values })
}

/// How often each tensor is read.
fn uses(graph: &onnx::Graph) -> HashMap<&str, usize> {
    let mut uses = HashMap::new();
    let inputs = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().map(String::as_str));
    for name in inputs.chain(graph.output.iter().map(|output| output.name.as_str())) {
        *uses.entry(name).or_default() += 1;
    }
    uses
}

struct Reader<'a> {
    values: HashMap<&'a str, Value>,
    uses: HashMap<&'a str, usize>,
    weights: Vec<f32>,
    graph: Graph,
}

impl<'a> Reader<'a> {
    fn map(&self, node: &onnx::Node, input: usize) -> Option<usize> {
        match self.values.get(node.input.get(input)?.as_str())? {
            Value::Map(map) => Some(*map),
            Value::Constant(_) => None,
        }
    }

    fn constant(&self, node: &onnx::Node, input: usize) -> Option<Constant> {
        match self.values.get(node.input.get(input)?.as_str())? {
            Value::Constant(constant) => Some(constant.clone()),
            Value::Map(_) => None,
        }
    }

    /// A single number, or nothing.
    fn number(&self, node: &onnx::Node, input: usize) -> Option<f32> {
        match self.constant(node, input)?.values[..] {
            [number] => Some(number),
            _ => None,
        }
    }

    /// Names the output of a node.
    fn names(&mut self, node: &'a onnx::Node, map: usize) -> Option<()> {
        let name = node.output.first()?;
        self.values.insert(name, Value::Map(map));
        Some(())
    }

    fn push(&mut self, node: &'a onnx::Node, mut layer: Layer, channels: usize) -> Option<()> {
        layer.output = self.graph.channels.len();
        self.graph.channels.push(channels);
        self.names(node, layer.output)?;
        self.graph.layers.push(layer);
        Some(())
    }

    /// A layer without weights.
    fn simple(
        &mut self,
        node: &'a onnx::Node,
        operation: Operation,
        inputs: Vec<usize>,
        channels: usize,
    ) -> Option<()> {
        let layer = Layer {
            operation,
            inputs,
            output: 0,
            weights: 0..0,
            bias: Vec::new(),
            activation: Activation::None,
        };
        self.push(node, layer, channels)
    }

    /// Takes a node over, or leaves it: `None`.
    fn layer(&mut self, node: &'a onnx::Node) -> Option<()> {
        match node.op_type.as_str() {
            "Sub" | "Div" => self.scale(node),
            "Conv" => self.convolution(node),
            "Gemm" => self.gemm(node),
            "Relu" | "Clip" | "LeakyRelu" | "PRelu" => self.activation(node),
            "Add" => self.add(node),
            "Resize" => self.double(node),
            "ReduceMean" => self.mean(node),
            "Flatten" => {
                let map = self.map(node, 0)?;
                // How many numbers that are depends on the input's size.
                (int(node, "axis", 1) == 1).then_some(())?;
                self.simple(node, Operation::Flatten, vec![map], 0)
            }
            "Concat" => {
                (int(node, "axis", 0) == 1).then_some(())?;
                let maps = (0..node.input.len())
                    .map(|input| self.map(node, input))
                    .collect::<Option<Vec<_>>>()?;
                let flat = maps.iter().all(|map| self.is_pixel(*map));
                let channels = maps.iter().map(|map| self.graph.channels[*map]).sum();
                flat.then_some(())?;
                self.simple(node, Operation::Concat, maps, channels)
            }
            "Sigmoid" => {
                let map = self.map(node, 0)?;
                let channels = self.graph.channels[map];
                self.is_pixel(map).then_some(())?;
                self.simple(node, Operation::Sigmoid, vec![map], channels)
            }
            _ => None,
        }
    }

    /// Whether a map is one pixel, whatever the input's size: the answer of a fully connected layer.
    fn is_pixel(&self, map: usize) -> bool {
        let Some(layer) = self.graph.layers.iter().find(|layer| layer.output == map) else {
            return false;
        };
        match layer.operation {
            Operation::Mean | Operation::Flatten | Operation::Concat | Operation::Sigmoid => true,
            Operation::Dense(Window::POINT) => self.is_pixel(layer.inputs[0]),
            _ => false,
        }
    }

    /// `input - number` and `input / number` at the start of the net.
    fn scale(&mut self, node: &'a onnx::Node) -> Option<()> {
        let (map, number) = (self.map(node, 0)?, self.number(node, 1)?);
        (map == 0 && self.graph.layers.is_empty()).then_some(())?;
        match (node.op_type.as_str(), self.graph.scale) {
            ("Sub", (0.0, 1.0)) => self.graph.scale.0 = number,
            ("Div", (_, 1.0)) => self.graph.scale.1 = number,
            _ => return None,
        }
        self.names(node, 0)
    }

    fn convolution(&mut self, node: &'a onnx::Node) -> Option<()> {
        let map = self.map(node, 0)?;
        let weights = self.constant(node, 1)?;
        let [outside, inside, rows, columns] = *<&[usize; 4]>::try_from(&weights.dims[..]).ok()?;
        let kernel = [rows, columns];
        let [top, left, bottom, right] = ints(node, "pads", [0; 4])?;
        let window = Window {
            kernel,
            stride: ints(node, "strides", [1, 1])?,
            before: [top, left],
            after: [bottom, right],
        };
        (ints(node, "dilations", [1, 1])? == [1, 1] && attribute(node, "auto_pad").is_none())
            .then_some(())?;
        let bias = match node.input.len() {
            2 => vec![0.0; outside],
            _ => self.constant(node, 2)?.values,
        };
        let channels = self.graph.channels[map];
        let group = usize::try_from(int(node, "group", 1)).ok()?;
        let (operation, weights) =
            if group == 1 && inside == channels && winograd::suits(&window, inside, outside) {
                let matrices = winograd::weights(&weights.values);
                let packed = matrices
                    .chunks_exact(outside * inside)
                    .flat_map(|matrix| packed(matrix, outside, inside, 1));
                (Operation::Winograd, packed.collect())
            } else if group == 1 && inside == channels {
                (
                    Operation::Dense(window),
                    packed(&weights.values, outside, inside, rows * columns),
                )
            } else if group == channels && inside == 1 && outside == channels {
                (
                    Operation::Depthwise(window),
                    by_tap(&weights.values, outside, rows * columns),
                )
            } else {
                return None;
            };
        self.weighted(node, operation, map, weights, bias, outside)
    }

    /// A fully connected layer: a convolution of one pixel.
    fn gemm(&mut self, node: &'a onnx::Node) -> Option<()> {
        let map = self.map(node, 0)?;
        let (weights, bias) = (self.constant(node, 1)?, self.constant(node, 2)?);
        let [outside, inside] = *<&[usize; 2]>::try_from(&weights.dims[..]).ok()?;
        let plain = |name| {
            attribute(node, name).is_none_or(|attribute| (attribute.f - 1.0).abs() < f32::EPSILON)
        };
        let transposed = int(node, "transB", 0) == 1 && int(node, "transA", 0) == 0;
        (self.is_pixel(map) && transposed && plain("alpha") && plain("beta")).then_some(())?;
        let weights = packed(&weights.values, outside, inside, 1);
        self.weighted(
            node,
            Operation::Dense(Window::POINT),
            map,
            weights,
            bias.values,
            outside,
        )
    }

    fn weighted(
        &mut self,
        node: &'a onnx::Node,
        operation: Operation,
        map: usize,
        weights: Vec<f32>,
        mut bias: Vec<f32>,
        outside: usize,
    ) -> Option<()> {
        (bias.len() == outside).then_some(())?;
        bias.resize(outside.next_multiple_of(GROUP), 0.0);
        let first = self.weights.len();
        self.weights.extend(weights);
        let layer = Layer {
            operation,
            inputs: vec![map],
            output: 0,
            weights: first..self.weights.len(),
            bias,
            activation: Activation::None,
        };
        self.push(node, layer, outside)
    }

    /// The layer that computes a map, if nobody else reads it and nothing follows its sums yet.
    fn unfinished(&self, node: &onnx::Node, input: usize) -> Option<usize> {
        let map = self.map(node, input)?;
        (self.uses.get(node.input[input].as_str()) == Some(&1)).then_some(())?;
        let number = self
            .graph
            .layers
            .iter()
            .position(|layer| layer.output == map)?;
        let layer = &self.graph.layers[number];
        let sums = matches!(
            layer.operation,
            Operation::Dense(_) | Operation::Winograd | Operation::Depthwise(_)
        );
        (sums && layer.activation == Activation::None).then_some(number)
    }

    fn activation(&mut self, node: &'a onnx::Node) -> Option<()> {
        let number = self.unfinished(node, 0)?;
        let layer = &self.graph.layers[number];
        let (map, channels) = (layer.output, layer.bias.len());
        let bound = |reader: &Self, input, default| match node.input.get(input).map(String::as_str)
        {
            None | Some("") => Some(default),
            Some(_) => reader.number(node, input),
        };
        let activation = match node.op_type.as_str() {
            "Relu" => Activation::Clamp(0.0, f32::INFINITY),
            "Clip" => Activation::Clamp(
                bound(self, 1, f32::NEG_INFINITY)?,
                bound(self, 2, f32::INFINITY)?,
            ),
            "LeakyRelu" => Activation::Slopes(vec![
                attribute(node, "alpha")
                    .map_or(0.01, |alpha| alpha.f);
                channels
            ]),
            _ => {
                let mut slopes = self.constant(node, 1)?.values;
                (slopes.len() == self.graph.channels[map]).then_some(())?;
                slopes.resize(channels, 0.0);
                Activation::Slopes(slopes)
            }
        };
        self.graph.layers[number].activation = activation;
        self.names(node, map)
    }

    fn add(&mut self, node: &'a onnx::Node) -> Option<()> {
        let maps = [self.map(node, 0)?, self.map(node, 1)?];
        let channels = self.graph.channels[maps[0]];
        (channels == self.graph.channels[maps[1]]).then_some(())?;
        for (sums, other) in [(1, 0), (0, 1)] {
            let Some(number) = self.unfinished(node, sums) else {
                continue;
            };
            let layer = &self.graph.layers[number];
            let before = maps[other] == 0
                || self.graph.layers[..number]
                    .iter()
                    .any(|before| before.output == maps[other]);
            let takes = matches!(layer.operation, Operation::Dense(_) | Operation::Winograd);
            if before && takes && layer.inputs.len() == 1 {
                self.graph.layers[number].inputs.push(maps[other]);
                return self.names(node, maps[sums]);
            }
        }
        self.simple(node, Operation::Add, maps.to_vec(), channels)
    }

    fn double(&mut self, node: &'a onnx::Node) -> Option<()> {
        let map = self.map(node, 0)?;
        let text = |name| attribute(node, name).map(|attribute| attribute.s.as_slice());
        let nearest = text("mode") == Some(b"nearest")
            && text("coordinate_transformation_mode") == Some(b"asymmetric")
            && text("nearest_mode") == Some(b"floor");
        (nearest && self.constant(node, 2)?.values == [1.0, 1.0, 2.0, 2.0]).then_some(())?;
        let channels = self.graph.channels[map];
        self.simple(node, Operation::Double, vec![map], channels)
    }

    fn mean(&mut self, node: &'a onnx::Node) -> Option<()> {
        let map = self.map(node, 0)?;
        (ints(node, "axes", [0, 0])? == [2, 3]).then_some(())?;
        let channels = self.graph.channels[map];
        self.simple(node, Operation::Mean, vec![map], channels)
    }
}

/// Weights (outside, inside, taps) as [`Dense`](super::kernels::Dense) wants them.
fn packed(weights: &[f32], outside: usize, inside: usize, taps: usize) -> Vec<f32> {
    let padded = outside.next_multiple_of(GROUP);
    let mut packed = Vec::with_capacity(padded * inside * taps);
    for first in (0..padded).step_by(BLOCK) {
        let block = first..padded.min(first + BLOCK);
        for tap in 0..taps {
            for channel in 0..inside {
                packed.extend(block.clone().map(|out| {
                    if out < outside {
                        weights[(out * inside + channel) * taps + tap]
                    } else {
                        0.0
                    }
                }));
            }
        }
    }
    packed
}

/// Weights (channels, 1, taps) as [`Depthwise`](super::kernels::Depthwise) wants them.
fn by_tap(weights: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let padded = channels.next_multiple_of(GROUP);
    (0..taps)
        .flat_map(|tap| (0..padded).map(move |channel| (tap, channel)))
        .map(|(tap, channel)| {
            if channel < channels {
                weights[channel * taps + tap]
            } else {
                0.0
            }
        })
        .collect()
}
