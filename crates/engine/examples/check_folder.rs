//! Judges the files of a folder on all processors and prints CSV, as they are done:
//! `cargo run --release --example check_folder -- photos`.

use std::{
    env,
    error::Error,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use livecheck_engine::{Engine, EngineConfig, Rejection, Verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("name a folder of photos")?;
    let mut files = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    // One for all threads.
    let engine = Engine::new(EngineConfig::default())?;
    let next = AtomicUsize::new(0);
    println!("file,live,score,error_code,error_detail");
    thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        for _ in 0..thread::available_parallelism()?.get() {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = check(&engine, file);
                    let name = quoted(&file.display().to_string());
                    match outcome {
                        Ok(Verdict { live, score, .. }) => println!("{name},{live},{score},,"),
                        Err(rejection) => {
                            let detail = quoted(&rejection.to_string());
                            println!("{name},,,{},{detail}", rejection.code());
                        }
                    }
                }
            });
        }
        Ok(())
    })
}

fn check(engine: &Engine, file: &Path) -> Result<Verdict, Rejection> {
    let bytes = fs::read(file)
        .map_err(|error| Rejection::UnreadableImage(format!("the file cannot be read: {error}")))?;
    engine.check(&bytes)
}

/// A field of CSV.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
