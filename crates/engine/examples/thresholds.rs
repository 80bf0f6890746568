//! Judges one file by other thresholds: `cargo run --release --example thresholds -- selfie.jpg`.

use std::{env, error::Error, fs};

use livecheck_engine::{Engine, EngineConfig, Limits, Preset, Thresholds};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("name a photo")?;
    let engine = Engine::new(EngineConfig {
        // Photos of a webcam from ten years ago.
        limits: Limits {
            min_image_side: 240,
            min_face_side: 60,
            ..Limits::default()
        },
        ..EngineConfig::default()
    })?;
    let located = engine.locate(&fs::read(file)?)?;

    let own = Thresholds {
        liveness: 0.97,
        review: Some(0.80),
        ..Thresholds::default()
    };
    let presets = Preset::ALL.map(|preset| (preset.name(), preset.thresholds()));
    for (name, thresholds) in presets.into_iter().chain([("own", own)]) {
        // Shares the models with the first: cheap.
        let engine = engine.with_thresholds(thresholds)?;
        let verdict = engine.judge(&located)?;
        let word = if verdict.live {
            "live"
        } else if thresholds.needs_review(verdict.score) {
            "review"
        } else {
            "attack"
        };
        println!(
            "{name:<12} {word:<7} {:.3} (threshold {:.2})",
            verdict.score, thresholds.liveness
        );
    }
    Ok(())
}
