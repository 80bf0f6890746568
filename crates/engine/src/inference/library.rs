//! Whether a shared library may be run: it is code with all the rights of the process, so nobody but
//! the administrator and the user of the process may be able to change it.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::settings::LIBRARY_FOLDERS;

/// The SHA-256 of the library at an absolute path without links, lower-case hexadecimal.
///
/// # Errors
/// What lets others change it, or that it is not the one that `pinned` names.
pub(crate) fn check(path: &Path, pinned: Option<&str>) -> Result<String, String> {
    trusted(path)?;
    let sha256 = digest(path).map_err(|error| error.to_string())?;
    match pinned {
        Some(pinned) if !pinned.eq_ignore_ascii_case(&sha256) => Err(not_pinned(&sha256, pinned)),
        _ => Ok(sha256),
    }
}

pub(crate) fn not_pinned(sha256: &str, pinned: &str) -> String {
    format!("its SHA-256 is {sha256}, but onnxruntime_sha256 allows only {pinned}")
}

fn digest(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = BufReader::with_capacity(64 * 1024, fs::File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        let length = bytes.len();
        file.consume(length);
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(not(unix))]
fn trusted(_: &Path) -> Result<(), String> {
    Ok(())
}

/// Checks the file and every folder above it.
#[cfg(unix)]
fn trusted(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;

    let own = rustix::process::geteuid().as_raw();
    for place in path.ancestors() {
        let is_file = place == path;
        let found = fs::metadata(place).map_err(|error| format!("{}: {error}", place.display()))?;
        if is_file && !found.is_file() {
            return Err("it is not a file".to_owned());
        }
        let what = if is_file {
            "it".to_owned()
        } else {
            format!("the folder {}", place.display())
        };
        if found.uid() != 0 && found.uid() != own {
            return Err(format!(
                "{what} belongs to user {}: only root and the user that runs Livecheck ({own}) may have write access to it",
                found.uid()
            ));
        }
        let mode = found.mode();
        // In a sticky folder nobody can replace what another user put there.
        let sticky = !is_file && mode & STICKY != 0;
        // Some distributions give these to a group of administrators.
        let system = LIBRARY_FOLDERS
            .iter()
            .any(|known| Path::new(known).starts_with(place));
        let group = mode & GROUP_WRITES != 0 && found.gid() != 0 && !system;
        if !sticky && (group || mode & OTHERS_WRITE != 0) {
            return Err(format!(
                "{what} can be written to by {} (mode {:04o}): `chmod go-w {}`",
                if mode & OTHERS_WRITE != 0 {
                    "everybody"
                } else {
                    "its group"
                },
                mode & 0o7777,
                place.display()
            ));
        }
    }
    Ok(())
}
