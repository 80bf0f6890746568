//! Judges one file: `cargo run --release --example check_file -- selfie.jpg`.

use std::{env, error::Error, fs};

use livecheck_engine::{Engine, EngineConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("name a photo")?;
    let engine = Engine::new(EngineConfig::default())?;
    match engine.check(&fs::read(file)?) {
        Ok(verdict) => {
            let word = if verdict.live { "live" } else { "attack" };
            println!("{word}, score {:.3}", verdict.score);
            let face = verdict.details.face.bbox;
            println!(
                "the face is {:.0} x {:.0} pixels",
                face.width(),
                face.height()
            );
        }
        Err(rejection) => println!("{}: {rejection}", rejection.code()),
    }
    Ok(())
}
