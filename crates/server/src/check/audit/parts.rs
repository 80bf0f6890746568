//! The files that an audit log was rotated into: `FILE.part-000001` and so on, the highest the newest.
//! No other program that rotates logs gives such names, so that none of its files is taken for one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What stands between the log's name and the number of a part.
const INFIX: &str = ".part-";

pub(super) fn part(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{INFIX}{number:06}"));
    name.into()
}

/// The folder of the log.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The parts by their numbers: files alone, no links.
pub(super) fn parts(path: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = folder(path);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(&*own)?.strip_prefix(INFIX)?.parse().ok());
        if let Some(number) = number
            && entry.file_type()?.is_file()
        {
            found.insert(number, folder.join(name));
        }
    }
    Ok(found)
}
