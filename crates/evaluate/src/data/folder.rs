//! A folder with one folder for each class.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::DataError,
    presentation::{Label, Presentation, check_presentations},
};

/// What image files end with, in a folder.
pub const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The presentations of a folder with one folder for each class.
///
/// # Errors
/// What is wrong with it.
pub fn read_folder(folder: &Path) -> Result<Vec<Presentation>, DataError> {
    let source = name_of(folder);
    let mut presentations = Vec::new();
    for class in entries(folder)? {
        let name = name(&class);
        if !class.is_dir() {
            if is_image(&class) {
                return Err(DataError::Layout(format!(
                    "{name} is next to the class folders: put each image into live/, print/, screen/ or attack/"
                )));
            }
            continue;
        }
        let label = Label::parse(&name).ok_or_else(|| {
            DataError::Layout(format!(
                "the folder {name} is not a class: name the folders live, print, screen or attack, or write a manifest"
            ))
        })?;
        let species = match label {
            Label::BonaFide => None,
            Label::Attack(species) => Some(species),
        };
        let mut add = |image: &Path, subject: Option<String>| {
            let image = image.strip_prefix(folder).unwrap_or(image);
            presentations.push(Presentation {
                image: image.display().to_string(),
                species: species.clone(),
                source: source.clone(),
                subject,
                line: 0,
            });
        };
        for entry in entries(&class)? {
            if entry.is_dir() {
                let subject = self::name(&entry);
                for image in images_below(&entry)? {
                    add(&image, Some(subject.clone()));
                }
            } else if is_image(&entry) {
                add(&entry, None);
            }
        }
    }
    check_presentations(&presentations)?;
    Ok(presentations)
}

/// The entries of a folder by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |reason| DataError::Unreadable {
        path: folder.to_owned(),
        reason,
    };
    let mut entries = fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort();
    Ok(entries)
}

/// The images in a folder and below it. Links to folders are not followed below the first level:
/// they may lead in circles.
fn images_below(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            if !entry.is_symlink() {
                found.extend(images_below(&entry)?);
            }
        } else if is_image(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The name of a file without its extension, or of a folder.
#[must_use]
pub fn name_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.map_or_else(
        || "data".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
