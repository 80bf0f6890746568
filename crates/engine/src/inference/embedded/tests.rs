//! Holds the kernels to the definitions of what they compute, with every width of vectors that this
//! processor has.

use std::sync::Arc;

use pulp::Arch;

use super::{
    graph::Graph,
    onnx::{Attribute, Model, Named, Node, Tensor},
    output::Output,
    program::Program,
};

/// Numbers between -1 and 1 that repeat nowhere.
fn numbers(count: usize, seed: f32) -> Vec<f32> {
    (0..count)
        .map(|at| (at as f32 * 0.7 + seed).sin())
        .collect()
}

fn archs() -> Vec<Arch> {
    let mut archs = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
    archs
}

fn tensor(name: &str, dims: &[usize], float_data: Vec<f32>) -> Tensor {
    Tensor {
        dims: dims.iter().map(|dim| *dim as i64).collect(),
        data_type: Tensor::FLOAT,
        float_data,
        name: name.to_owned(),
        raw_data: Vec::new(),
    }
}

fn node(op_type: &str, input: &[&str], output: &str) -> Node {
    Node {
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: op_type.to_owned(),
        attribute: Vec::new(),
    }
}

fn ints(name: &str, ints: &[usize]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        ints: ints.iter().map(|int| *int as i64).collect(),
        ..Attribute::default()
    }
}

fn int(name: &str, i: usize) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: i as i64,
        ..Attribute::default()
    }
}

/// A model from `input` to the output of its last node.
fn model(nodes: Vec<Node>, weights: Vec<Tensor>) -> Model {
    let named = |name: &str| Named {
        name: name.to_owned(),
        ..Named::default()
    };
    let output = nodes.last().map_or("", |node| node.output[0].as_str());
    Model {
        graph: Some(super::onnx::Graph {
            input: vec![named("input")],
            output: vec![named(output)],
            node: nodes,
            initializer: weights,
        }),
    }
}

/// A convolution for the tests.
#[derive(Debug, Clone, Copy)]
struct Case {
    size: [usize; 2],
    inside: usize,
    outside: usize,
    kernel: usize,
    stride: usize,
    /// Before and after, in both directions.
    padding: [usize; 2],
    depthwise: bool,
}

impl Case {
    fn node(&self, input: &str, output: &str, weights: &str, bias: &str) -> Node {
        let [before, after] = self.padding;
        let mut node = node("Conv", &[input, weights, bias], output);
        node.attribute = vec![
            ints("pads", &[before, before, after, after]),
            ints("strides", &[self.stride; 2]),
            int("group", if self.depthwise { self.inside } else { 1 }),
        ];
        node
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    fn weights(&self, seed: f32) -> Vec<f32> {
        let inside = if self.depthwise { 1 } else { self.inside };
        numbers(self.outside * inside * self.taps(), seed)
    }

    fn tensor(&self, name: &str, seed: f32) -> Tensor {
        let inside = if self.depthwise { 1 } else { self.inside };
        let dims = [self.outside, inside, self.kernel, self.kernel];
        tensor(name, &dims, self.weights(seed))
    }

    fn outputs(&self) -> [usize; 2] {
        self.size
            .map(|side| (side + self.padding[0] + self.padding[1] - self.kernel) / self.stride + 1)
    }

    /// By the definition, pixel by pixel, channel by channel; `data` the same way.
    fn convolved(&self, data: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
        let [rows, columns] = self.outputs();
        let inside = if self.depthwise { 1 } else { self.inside };
        let mut output = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                for out in 0..self.outside {
                    let mut sum = f64::from(bias[out]);
                    for channel in 0..inside {
                        for tap in 0..self.taps() {
                            let y = row * self.stride + tap / self.kernel;
                            let x = column * self.stride + tap % self.kernel;
                            let (Some(y), Some(x)) = (
                                y.checked_sub(self.padding[0]).filter(|y| *y < self.size[0]),
                                x.checked_sub(self.padding[0]).filter(|x| *x < self.size[1]),
                            ) else {
                                continue;
                            };
                            let from = if self.depthwise { out } else { channel };
                            let value = data[(y * self.size[1] + x) * self.inside + from];
                            let weight = weights[(out * inside + channel) * self.taps() + tap];
                            sum += f64::from(value) * f64::from(weight);
                        }
                    }
                    output.push(sum as f32);
                }
            }
        }
        output
    }
}

/// Three planes as rows of pixels.
fn pixels(planes: &[f32]) -> Vec<f32> {
    let count = planes.len() / 3;
    (0..count)
        .flat_map(|at| (0..3).map(move |plane| planes[plane * count + at]))
        .collect()
}

fn run(model: &Model, size: [usize; 2], arch: Arch, pixels: &[f32]) -> Output {
    let graph = Graph::read(model).expect("a known net");
    let program = Program::new(Arc::new(graph), size, arch).expect("a size that fits");
    let first = program.run(pixels).remove(0);
    // What a run leaves in memory does not touch the next.
    program.run(&numbers(pixels.len(), 9.0));
    assert_eq!(program.run(pixels), std::slice::from_ref(&first));
    first
}

#[track_caller]
fn assert_close(case: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{case}");
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let most = 1e-4 * expected.abs().max(1.0);
        assert!(
            (actual - expected).abs() <= most,
            "{case}: number {at} is {actual}, not {expected}"
        );
    }
}

/// A pointwise convolution to `inside` channels, so that the next one reads as many, and it.
#[test]
fn convolutions_are_those_of_the_definition() {
    for size in [[5, 7], [8, 8], [13, 4]] {
        for (inside, outside, depthwise) in [
            (3, 5, false),
            (16, 16, false),
            (24, 40, false),
            (40, 112, false),
            (48, 48, true),
            (24, 24, true),
        ] {
            for (kernel, stride, padding) in [
                (1, 1, [0, 0]),
                (3, 1, [1, 1]),
                (3, 2, [1, 1]),
                (3, 2, [0, 1]),
                (5, 1, [2, 2]),
                (4, 3, [0, 0]),
            ] {
                let case = Case {
                    size,
                    inside,
                    outside,
                    kernel,
                    stride,
                    padding,
                    depthwise,
                };
                let point = Case {
                    inside: 3,
                    outside: inside,
                    kernel: 1,
                    stride: 1,
                    padding: [0, 0],
                    depthwise: false,
                    ..case
                };
                let bias = [numbers(inside, 3.0), numbers(outside, 4.0)];
                let model = model(
                    vec![
                        point.node("input", "wide", "w0", "b0"),
                        case.node("wide", "output", "w1", "b1"),
                    ],
                    vec![
                        point.tensor("w0", 1.0),
                        tensor("b0", &[inside], bias[0].clone()),
                        case.tensor("w1", 2.0),
                        tensor("b1", &[outside], bias[1].clone()),
                    ],
                );
                let planes = numbers(3 * size[0] * size[1], 5.0);
                let wide = point.convolved(&pixels(&planes), &point.weights(1.0), &bias[0]);
                let expected = case.convolved(&wide, &case.weights(2.0), &bias[1]);
                for arch in archs() {
                    let output = run(&model, size, arch, &pixels(&planes));
                    assert_eq!([output.rows, output.columns], case.outputs(), "{case:?}");
                    assert_close(&format!("{case:?}, {arch:?}"), &output.values, &expected);
                }
            }
        }
    }
}

#[test]
fn what_follows_a_convolution_is_done_with_it() {
    let size = [6, 5];
    let case = Case {
        size,
        inside: 3,
        outside: 20,
        kernel: 3,
        stride: 1,
        padding: [1, 1],
        depthwise: false,
    };
    let bias = numbers(20, 3.0);
    let planes = numbers(3 * 30, 5.0);
    let plain = case.convolved(&pixels(&planes), &case.weights(1.0), &bias);
    let other = case.convolved(&pixels(&planes), &case.weights(2.0), &bias);
    let slopes = numbers(20, 6.0);
    let relu = |value: &f32| value.max(0.0);
    let slope = |(at, value): (usize, &f32)| {
        if *value < 0.0 {
            slopes[at % 20] * value
        } else {
            *value
        }
    };
    let sum = || plain.iter().zip(&other).map(|(a, b)| a + b);
    let mut leaky = node("LeakyRelu", &["one"], "output");
    leaky.attribute = vec![Attribute {
        name: "alpha".to_owned(),
        f: 0.2,
        ..Attribute::default()
    }];
    let two = || case.node("input", "two", "w1", "b");
    let cases = [
        (
            "relu",
            vec![node("Relu", &["one"], "output")],
            plain.iter().map(relu).collect(),
        ),
        (
            "clip",
            vec![node("Clip", &["one", "low", "high"], "output")],
            plain.iter().map(|value| value.clamp(-0.5, 0.5)).collect(),
        ),
        (
            "leaky",
            vec![leaky],
            plain.iter().map(|value| value.max(0.2 * value)).collect(),
        ),
        (
            "slopes",
            vec![node("PRelu", &["one", "slopes"], "output")],
            plain.iter().enumerate().map(slope).collect(),
        ),
        (
            "sum",
            vec![two(), node("Add", &["one", "two"], "output")],
            sum().collect(),
        ),
        (
            "sum and relu",
            vec![
                two(),
                node("Add", &["two", "one"], "sum"),
                node("Relu", &["sum"], "output"),
            ],
            sum().map(|value| value.max(0.0)).collect(),
        ),
        // Its first map is read twice, so nothing can be done with it.
        (
            "relu apart",
            vec![
                two(),
                node("Relu", &["two"], "held"),
                node("Add", &["one", "held"], "output"),
            ],
            plain
                .iter()
                .zip(other.iter().map(relu))
                .map(|(a, b)| a + b)
                .collect::<Vec<f32>>(),
        ),
    ];
    for (name, after, expected) in cases {
        let mut nodes = vec![case.node("input", "one", "w0", "b")];
        nodes.extend(after);
        let weights = vec![
            case.tensor("w0", 1.0),
            case.tensor("w1", 2.0),
            tensor("b", &[20], bias.clone()),
            tensor("low", &[], vec![-0.5]),
            tensor("high", &[], vec![0.5]),
            tensor("slopes", &[20, 1, 1], slopes.clone()),
        ];
        let model = model(nodes, weights);
        for arch in archs() {
            let output = run(&model, size, arch, &pixels(&planes));
            assert_close(&format!("{name}, {arch:?}"), &output.values, &expected);
        }
    }
}

#[test]
fn answers_are_worked_out_of_the_last_map() {
    let size = [2, 3];
    let planes: Vec<f32> = (0..18).map(|at| at as f32).collect();
    let mut mean = node("ReduceMean", &["scaled"], "mean");
    mean.attribute = vec![ints("axes", &[2, 3])];
    let mut dense = node("Gemm", &["mean", "w", "b"], "score");
    dense.attribute = vec![int("transB", 1)];
    let mut flat = node("Flatten", &["scaled"], "flat");
    flat.attribute = vec![int("axis", 1)];
    let mut places = node("Gemm", &["flat", "v", "c"], "places");
    places.attribute = vec![int("transB", 1)];
    let mut both = node("Concat", &["score", "places"], "both");
    both.attribute = vec![int("axis", 1)];
    let model = model(
        vec![
            node("Sub", &["input", "less"], "lowered"),
            node("Div", &["lowered", "by"], "scaled"),
            mean,
            dense,
            flat,
            places,
            both,
            node("Sigmoid", &["both"], "output"),
        ],
        vec![
            tensor("less", &[], vec![8.5]),
            tensor("by", &[], vec![4.0]),
            tensor("w", &[1, 3], vec![1.0, 2.0, 0.5]),
            tensor("b", &[1], vec![0.25]),
            tensor("v", &[2, 18], numbers(36, 1.0)),
            tensor("c", &[2], vec![0.0, 1.0]),
        ],
    );
    let scaled: Vec<f32> = planes.iter().map(|value| (value - 8.5) / 4.0).collect();
    let means: Vec<f32> = scaled
        .chunks(6)
        .map(|plane| plane.iter().sum::<f32>() / 6.0)
        .collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let v = numbers(36, 1.0);
    let logits = [
        0.25 + dot(&means, &[1.0, 2.0, 0.5]),
        dot(&scaled, &v[..18]),
        1.0 + dot(&scaled, &v[18..]),
    ];
    let expected = logits.map(|logit| 1.0 / (1.0 + (-logit).exp()));
    for arch in archs() {
        assert_close(
            "answers",
            &run(&model, size, arch, &pixels(&planes)).values,
            &expected,
        );
    }
}

#[test]
fn an_unknown_operator_is_refused_by_name() {
    let model = model(vec![node("Softmax", &["input"], "output")], Vec::new());
    let error = Graph::read(&model).expect_err("no such layer");
    assert!(
        error.contains("operator Softmax as output uses it"),
        "{error}"
    );
}
