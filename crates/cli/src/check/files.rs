//! Which files are judged.

use std::{
    collections::{BTreeMap, HashSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// What a folder is searched for.
pub(super) const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp"];

/// Stands for standard input.
pub(super) const STDIN: &str = "-";

/// What is judged, and what is not.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) passed_over: PassedOver,
}

/// How many entries of the folders are not judged.
#[derive(Default)]
pub(crate) struct PassedOver {
    /// Files and folders whose name begins with a dot, such as the `._*` that macOS writes.
    hidden: usize,
    /// By extension; empty for none.
    others: BTreeMap<String, usize>,
}

/// One sentence; nothing when nothing was passed over.
impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Most extensions that are named.
        const NAMED: usize = 8;
        let mut parts = Vec::new();
        if self.hidden > 0 {
            parts.push(format!("{} whose names begin with a dot", self.hidden));
        }
        let others: usize = self.others.values().sum();
        if others > 0 {
            let mut kinds: Vec<_> = self.others.iter().collect();
            kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
            let mut named: Vec<String> = kinds
                .iter()
                .take(NAMED)
                .map(|(name, count)| match name.as_str() {
                    "" => format!("{count} without an extension"),
                    name => format!("{count} .{}", name.escape_default()),
                })
                .collect();
            if kinds.len() > NAMED {
                named.push("...".to_owned());
            }
            parts.push(format!("{others} of other types ({})", named.join(", ")));
        }
        if parts.is_empty() {
            return Ok(());
        }
        write!(f, "skipped {}", parts.join(" and "))
    }
}

/// The files as given; of a folder, the images in it and below it, sorted by name. Each once, and
/// none of those in `except`, the folder that this run draws into.
pub(crate) fn find<'a>(
    paths: impl Iterator<Item = &'a PathBuf>,
    except: Option<&Path>,
) -> Result<Found> {
    let mut search = Search {
        except: except.and_then(|folder| folder.canonicalize().ok()),
        seen: HashSet::new(),
        found: Found::default(),
    };
    for path in paths {
        if path.is_dir() {
            search.folder(path)?;
        } else {
            search.take(path);
        }
    }
    Ok(search.found)
}

struct Search {
    except: Option<PathBuf>,
    seen: HashSet<PathBuf>,
    found: Found,
}

impl Search {
    fn take(&mut self, file: &Path) {
        if self.seen.insert(file.to_owned()) {
            self.found.files.push(file.to_owned());
        }
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        if self.except.is_some() && folder.canonicalize().ok() == self.except {
            return Ok(());
        }
        let unreadable = || format!("the folder {} cannot be read", folder.display());
        let mut entries = fs::read_dir(folder)
            .with_context(unreadable)?
            .collect::<Result<Vec<_>, _>>()
            .with_context(unreadable)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.found.passed_over.hidden += 1;
            } else if entry.file_type().with_context(unreadable)?.is_dir() {
                self.folder(&path)?;
            } else if is_image(&path) {
                self.take(&path);
            } else if !path.is_dir() {
                // Links to folders are not followed: they may lead in circles.
                let others = &mut self.found.passed_over.others;
                *others.entry(extension(&path)).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// By its name; and no pipe or device, which might never end. A link that leads nowhere counts, so
/// that it is reported.
fn is_image(path: &Path) -> bool {
    EXTENSIONS.contains(&extension(path).as_str())
        && fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// In lower case, without the dot; empty for none.
fn extension(path: &Path) -> String {
    path.extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}
