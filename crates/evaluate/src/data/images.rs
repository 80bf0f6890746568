//! Where images lie: in a folder or in a tar archive.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{error::DataError, presentation::Presentation};

/// Where image files are read from.
#[derive(Debug)]
pub struct Images {
    place: PathBuf,
    /// Of a tar archive: where each file begins, and its length.
    index: Option<BTreeMap<String, (u64, u64)>>,
}

impl Images {
    /// A folder, or a tar archive (not compressed), whose list of files is read here.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(place: &Path) -> Result<Self, DataError> {
        let unreadable = |reason| DataError::Unreadable {
            path: place.to_owned(),
            reason,
        };
        let metadata = fs::metadata(place).map_err(unreadable)?;
        let index = if metadata.is_dir() {
            None
        } else {
            Some(index(place).map_err(unreadable)?)
        };
        Ok(Self {
            place: place.to_owned(),
            index,
        })
    }

    /// The images that belong to a manifest: `NAME.tar` beside `NAME.csv`, or its own folder.
    #[must_use]
    pub fn beside(manifest: &Path) -> PathBuf {
        let archive = manifest.with_extension("tar");
        if archive.is_file() {
            return archive;
        }
        match manifest.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Checks that all images are there.
    ///
    /// # Errors
    /// How many are not, and the first.
    pub fn check(&self, presentations: &[Presentation]) -> Result<(), DataError> {
        let missing: Vec<&Presentation> = presentations
            .iter()
            .filter(|presentation| !self.has(&presentation.image))
            .collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => Err(DataError::MissingImages {
                missing: missing.len(),
                of: presentations.len(),
                first: first.image.clone(),
                line: first.line,
                place: self.place.clone(),
            }),
        }
    }

    fn has(&self, image: &str) -> bool {
        match &self.index {
            Some(index) => index.contains_key(plain(image)),
            None => self.place.join(image).is_file(),
        }
    }

    /// The file's bytes; of one that is longer than `limit`, `limit + 1` of them.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn read(&self, image: &str, limit: usize) -> io::Result<Vec<u8>> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        match &self.index {
            None => {
                File::open(self.place.join(image))?
                    .take(most)
                    .read_to_end(&mut bytes)?;
            }
            Some(index) => {
                let (start, length) = *index
                    .get(plain(image))
                    .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                let mut archive = File::open(&self.place)?;
                archive.seek(SeekFrom::Start(start))?;
                archive.take(length.min(most)).read_to_end(&mut bytes)?;
            }
        }
        Ok(bytes)
    }
}

/// Where each file of a tar archive begins, and its length.
fn index(archive: &Path) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(File::open(archive)?);
    let mut index = BTreeMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.to_string_lossy().into_owned();
            index.insert(
                plain(&name).to_owned(),
                (entry.raw_file_position(), entry.size()),
            );
        }
    }
    Ok(index)
}

/// A name without the `./` that archivers put before it.
fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}
