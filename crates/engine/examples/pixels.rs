//! Writes the upright pixels of image files as PPM: what other decoders are compared with.
//!
//! `cargo run --release -p livecheck-engine --example pixels -- FOLDER FILE...` puts `NAME.ppm` in the
//! folder for each file that is read, and `NAME.txt` with the reason for each that is refused.

use std::{env, fs, path::Path, time::Instant};

use livecheck_engine::{Engine, EngineConfig, Limits, Located};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("the folder for the pixels is missing")?;
    let limits = Limits {
        min_image_side: 1,
        ..Limits::default()
    };
    let engine = Engine::new(EngineConfig {
        limits,
        ..EngineConfig::default()
    })?;
    for file in arguments {
        let path = Path::new(&file);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = fs::read(path)?;
        let start = Instant::now();
        match engine.locate_whole(&bytes) {
            Ok(Located { photo, .. }) => {
                println!("{name} {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
                let mut ppm = format!("P6 {} {} 255\n", photo.width, photo.height).into_bytes();
                ppm.extend(&photo.rgb);
                fs::write(Path::new(&folder).join(format!("{name}.ppm")), ppm)?;
            }
            Err(rejection) => {
                println!("{name}: {rejection}");
                let reason = Path::new(&folder).join(format!("{name}.txt"));
                fs::write(reason, rejection.to_string())?;
            }
        }
    }
    Ok(())
}
