//! Which files are judged.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// What a folder is searched for.
pub(super) const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The files as given; of a folder, the images in it and below it, sorted by name. Each once, and
/// none of those in `except`, the folder that this run draws into.
pub(crate) fn find<'a>(
    paths: impl Iterator<Item = &'a PathBuf>,
    except: Option<&Path>,
) -> Result<Vec<PathBuf>> {
    let mut search = Search {
        except: except.and_then(|folder| folder.canonicalize().ok()),
        seen: HashSet::new(),
        found: Vec::new(),
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
    found: Vec<PathBuf>,
}

impl Search {
    fn take(&mut self, file: &Path) {
        if self.seen.insert(file.to_owned()) {
            self.found.push(file.to_owned());
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
            // Links to folders are not followed: they may lead in circles.
            if entry.file_type().with_context(unreadable)?.is_dir() {
                self.folder(&path)?;
            } else if is_image(&path) {
                self.take(&path);
            }
        }
        Ok(())
    }
}

/// By its name; and no pipe or device, which might never end. A link that leads nowhere counts, so
/// that it is reported.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
        && fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}
