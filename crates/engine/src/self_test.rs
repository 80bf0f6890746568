//! Does this machine compute what was measured when the models were made?

use std::collections::BTreeMap;

use crate::{error::EngineError, inference::Network};

/// `[mean, maximum]` of each output of each net on [`pattern`], as ONNX Runtime computed them;
/// written by the training pipeline at every export.
const EXPECTED: &str = include_str!("../models/self-test.json");

/// Largest deviation, relative to the larger of 1 and the expected value. Runtimes differ in the
/// order of their sums by about 1e-5.
const TOLERANCE: f64 = 1e-3;

/// Runs the nets, given with their names, on the pattern.
pub(crate) fn run<'a>(
    networks: impl IntoIterator<Item = (&'static str, &'a dyn Network)>,
) -> Result<(), EngineError> {
    let expected: BTreeMap<String, Vec<[f64; 2]>> = serde_json::from_str(EXPECTED)
        .map_err(|e| EngineError::SelfTest(format!("its expectations cannot be read: {e}")))?;
    for (name, network) in networks {
        let expected = expected.get(name).ok_or_else(|| {
            EngineError::SelfTest(format!("no expected output is recorded for {name}"))
        })?;
        let actual = answers(network).map_err(|reason| EngineError::Network { name, reason })?;
        let close = actual.len() == expected.len()
            && actual.iter().flatten().zip(expected.iter().flatten()).all(
                // Written so that a NaN fails.
                |(a, e)| (a - e).abs() <= TOLERANCE * e.abs().max(1.0),
            );
        if !close {
            return Err(EngineError::SelfTest(format!(
                "{name} returned {actual:?}, expected {expected:?}"
            )));
        }
    }
    Ok(())
}

fn answers(network: &dyn Network) -> Result<Vec<[f64; 2]>, String> {
    let outputs = network.run_square(&pattern(network.size()))?;
    Ok(outputs
        .iter()
        .map(|output| {
            let values = output.iter().copied().map(f64::from);
            let mean = values.clone().sum::<f64>() / output.len().max(1) as f64;
            [mean, values.fold(f64::NEG_INFINITY, f64::max)]
        })
        .collect())
}

/// Pixels whose channel `c` is `(7 x + 13 y + 29 c) mod 256`.
fn pattern(size: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| [0, 1, 2].map(|c| ((7 * x + 13 * y + 29 * c) % 256) as u8);
    (0..size)
        .flat_map(|y| (0..size).flat_map(move |x| pixel(x, y)))
        .collect()
}
