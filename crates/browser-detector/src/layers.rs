// The convolutions of `face-detector.onnx` in the order of the packed weights. `build.rs` and the
// network share this file.

/// One convolution: its name in the ONNX file and its shape.
pub(crate) struct Layer {
    /// Initializers are `net.<name>.weight` and `net.<name>.bias`; only `build.rs` asks.
    #[allow(
        dead_code,
        clippy::allow_attributes,
        reason = "the network goes by the order"
    )]
    pub(crate) name: &'static str,
    /// Channels that it writes.
    pub(crate) outputs: usize,
    /// Channels that it reads.
    pub(crate) inputs: usize,
    /// Side of the square kernel.
    pub(crate) kernel: usize,
}

const fn layer(name: &'static str, outputs: usize, inputs: usize, kernel: usize) -> Layer {
    Layer {
        name,
        outputs,
        inputs,
        kernel,
    }
}

/// All convolutions.
pub(crate) static LAYERS: [Layer; 21] = [
    layer("stem.0.0", 16, 3, 3),
    layer("stem.1.0", 24, 16, 3),
    layer("stage8.0.0", 40, 24, 3),
    layer("stage8.1.first.0", 40, 40, 3),
    layer("stage8.1.second.0", 40, 40, 3),
    layer("stage16.0.0", 80, 40, 3),
    layer("stage16.1.first.0", 80, 80, 3),
    layer("stage16.1.second.0", 80, 80, 3),
    layer("stage32.0.0", 112, 80, 3),
    layer("stage32.1.first.0", 112, 112, 3),
    layer("stage32.1.second.0", 112, 112, 3),
    layer("stage32.2.0", 112, 112, 3),
    layer("lateral.0.0", 48, 40, 1),
    layer("lateral.1.0", 48, 80, 1),
    layer("lateral.2.0", 48, 112, 1),
    layer("heads.0.0", 48, 48, 3),
    layer("heads.1.0", 48, 48, 3),
    layer("heads.2.0", 48, 48, 3),
    layer("outs.0", 15, 48, 1),
    layer("outs.1", 15, 48, 1),
    layer("outs.2", 15, 48, 1),
];
