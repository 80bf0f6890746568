//! Packs the weights of the product's own face detector: `face-detector.onnx` → `weights.bin`.
//!
//! Per layer of `src/layers.rs`: one scale and one bias per output channel (f32, little endian), then
//! the weights as signed bytes (value = byte × scale). A quarter of the size of the floats; the test
//! `agreement` compares the faces found with those of the engine.

use std::{collections::HashMap, env, error::Error, fs, path::Path};

mod layers {
    include!("src/layers.rs");
}

/// Relative to this crate.
const MODEL: &str = "../engine/models/face-detector.onnx";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={MODEL}");
    println!("cargo::rerun-if-changed=src/layers.rs");
    let folder = env::var("CARGO_MANIFEST_DIR")?;
    let model = fs::read(Path::new(&folder).join(MODEL))?;
    let tensors = initializers(&model)?;
    let mut packed = Vec::new();
    for layer in &layers::LAYERS {
        let tensor = |part: &str| {
            let name = format!("net.{}.{part}", layer.name);
            tensors
                .get(&name)
                .ok_or_else(|| format!("{MODEL} has no tensor {name}"))
        };
        let weights = tensor("weight")?;
        let bias = tensor("bias")?;
        let per_output = layer.inputs * layer.kernel * layer.kernel;
        if weights.len() != layer.outputs * per_output || bias.len() != layer.outputs {
            return Err(format!(
                "{MODEL}: {} has {} weights and {} biases; src/layers.rs says {} and {}",
                layer.name,
                weights.len(),
                bias.len(),
                layer.outputs * per_output,
                layer.outputs
            )
            .into());
        }
        let scales: Vec<f32> = weights
            .chunks_exact(per_output)
            .map(|row| {
                row.iter()
                    .fold(1e-12_f32, |most, value| most.max(value.abs()))
                    / 127.0
            })
            .collect();
        for value in scales.iter().chain(bias) {
            packed.extend_from_slice(&value.to_le_bytes());
        }
        for (row, scale) in weights.chunks_exact(per_output).zip(&scales) {
            packed.extend(row.iter().map(|value| quantise(*value, *scale)));
        }
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("weights.bin"), packed)?;
    Ok(())
}

/// The nearest byte.
#[expect(clippy::cast_possible_truncation, reason = "within ±127 by its scale")]
fn quantise(value: f32, scale: f32) -> u8 {
    ((value / scale).round() as i8).cast_unsigned()
}

// ---------------------------------------------------------------------------------------------
// Protocol buffers, as much as an ONNX file of float weights needs.

/// `ModelProto.graph`, `GraphProto.initializer`, and of `TensorProto` name and raw data.
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const NAME: u64 = 8;
const RAW_DATA: u64 = 9;

/// Float tensors by name.
fn initializers(model: &[u8]) -> Result<HashMap<String, Vec<f32>>, String> {
    let mut found = HashMap::new();
    for graph in fields(model, GRAPH)? {
        for tensor in fields(graph, INITIALIZER)? {
            let name = fields(tensor, NAME)?.concat();
            let data = fields(tensor, RAW_DATA)?.concat();
            let values = data
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect();
            found.insert(String::from_utf8_lossy(&name).into_owned(), values);
        }
    }
    Ok(found)
}

/// The length-delimited fields of one number.
fn fields(mut message: &[u8], wanted: u64) -> Result<Vec<&[u8]>, String> {
    let cut = || "the ONNX file is cut off".to_owned();
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message).ok_or_else(cut)?;
        let length = match tag & 7 {
            0 => {
                varint(&mut message).ok_or_else(cut)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message).ok_or_else(cut)?).map_err(|_| cut())?,
            5 => 4,
            kind => return Err(format!("the ONNX file has a field of wire type {kind}")),
        };
        let (field, rest) = message.split_at_checked(length).ok_or_else(cut)?;
        message = rest;
        if tag & 7 == 2 && tag >> 3 == wanted {
            found.push(field);
        }
    }
    Ok(found)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
