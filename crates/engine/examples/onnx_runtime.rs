//! Judges one file with ONNX Runtime and with the embedded runtime:
//! `cargo run --release --features onnxruntime --example onnx_runtime -- libonnxruntime.so selfie.jpg`.

use std::{env, error::Error, fs, path::PathBuf};

use livecheck_engine::{Engine, EngineConfig, RuntimeChoice, RuntimeSettings};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(library), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("name the library of ONNX Runtime and a photo".into());
    };
    let file = fs::read(file)?;
    let onnx_runtime = RuntimeSettings {
        choice: RuntimeChoice::OnnxRuntime,
        library: Some(library),
        ..RuntimeSettings::default()
    };
    for settings in [onnx_runtime, RuntimeSettings::default()] {
        let engine = Engine::with_runtime(EngineConfig::default(), &settings)?;
        // The first photo prepares what later ones use.
        engine.check(&file)?;
        let verdict = engine.check(&file)?;
        println!(
            "{}: score {:.4} in {:.0} ms",
            engine.runtime().info(),
            verdict.score,
            verdict.details.timings.total_ms
        );
    }
    Ok(())
}
