//! Writes the seeds of the fuzz targets into `FOLDER/TARGET/`:
//! `cargo run --package livecheck-fuzzing --example seeds -- FOLDER`.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::other("name the folder to write to"))?;
    for (target, name, bytes) in livecheck_fuzzing::seeds::all() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
