//! The folder of real images that `LIVECHECK_DATA` names: `NAME.tar` with the images, `NAME.csv`
//! with what they are. None of them is part of this repository.

use std::{
    collections::{HashMap, HashSet},
    env,
    fs::File,
    io::Read,
    path::PathBuf,
};

use serde::de::DeserializeOwned;

/// The data folder, or `None` after saying loudly that `test` is left out.
#[must_use]
pub fn folder(test: &str) -> Option<PathBuf> {
    let folder = env::var_os("LIVECHECK_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("!!! LEFT OUT: {test}: LIVECHECK_DATA does not name the data folder");
    }
    folder
}

/// The rows of `NAME.csv` in `folder`.
///
/// # Panics
/// When the file cannot be read or does not have the columns of `Row`.
#[must_use]
pub fn rows<Row: DeserializeOwned>(folder: &std::path::Path, name: &str) -> Vec<Row> {
    let path = folder.join(format!("{name}.csv"));
    csv::Reader::from_path(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .deserialize()
        .map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect()
}

/// The files of `NAME.tar` in `folder` whose names are asked for.
///
/// # Panics
/// When the archive cannot be read or lacks one of them.
#[must_use]
pub fn images(
    folder: &std::path::Path,
    name: &str,
    wanted: &HashSet<String>,
) -> HashMap<String, Vec<u8>> {
    let path = folder.join(format!("{name}.tar"));
    let archive = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found = HashMap::new();
    for entry in tar::Archive::new(archive).entries().expect("a tar file") {
        let mut entry = entry.expect("a whole tar file");
        let entry_path = entry.path().expect("a file name").into_owned();
        let entry_name = entry_path.to_string_lossy();
        let entry_name = entry_name.trim_start_matches("./");
        if wanted.contains(entry_name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a whole tar file");
            found.insert(entry_name.to_owned(), bytes);
        }
    }
    for name in wanted {
        assert!(found.contains_key(name), "{} lacks {name}", path.display());
    }
    found
}

/// About `count` files of `NAME.tar` in `folder` with their names, in the order of these: spread evenly
/// over the rows of `NAME.csv` that `chosen` takes, each given by its columns.
///
/// # Panics
/// As [`rows`] and [`images`].
#[must_use]
pub fn spread(
    folder: &std::path::Path,
    name: &str,
    count: usize,
    chosen: impl Fn(&HashMap<String, String>) -> bool,
) -> Vec<(String, Vec<u8>)> {
    let mut rows: Vec<HashMap<String, String>> = rows(folder, name);
    rows.retain(chosen);
    let step = (rows.len() / count).max(1);
    let names = rows.iter().step_by(step).map(|row| row["image"].clone());
    let mut files: Vec<_> = images(folder, name, &names.collect()).into_iter().collect();
    files.sort();
    files
}
