//! Secrets in files of their own, and files that others may read though they hold secrets.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{
    error::ConfigError,
    settings::ServerConfig,
    value::{Secret, Token, Value as _},
};

/// Most bytes of a file with a secret.
const MAX_SECRET_BYTES: u64 = 16 * 1024;

impl ServerConfig {
    /// Takes the secrets that stand in files.
    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.access.database_file {
            let text = read("database_file", path)?;
            self.access.database = Secret::parse(&text).ok_or_else(|| wrong(
                "database_file",
                path,
                "it is empty; it must contain the address of the database, such as postgres://user:password@host/database",
            ))?;
        }
        if let Some(path) = &self.network.admin_token_file {
            if self.network.admin_token.is_some() {
                return Err(ConfigError::Conflict(
                    "admin_token and admin_token_file exclude each other: set one of them"
                        .to_owned(),
                ));
            }
            let text = read("admin_token_file", path)?;
            let token = Token::parse(&text).ok_or_else(|| {
                wrong(
                    "admin_token_file",
                    path,
                    "it must contain 32 to 256 visible characters and nothing else",
                )
            })?;
            self.network.admin_token = Some(token);
        }
        Ok(())
    }

    /// Files with secrets that other users of this machine can read, one sentence each.
    ///
    /// `settings` is the file that the settings came from.
    #[must_use]
    pub fn exposed_files(&self, settings: Option<&Path>) -> Vec<String> {
        let database = self.access.database.file();
        let settings = settings.filter(|path| holds_secret(path));
        [
            ("the settings file", settings),
            ("tls_key", self.network.tls_key.as_deref()),
            ("admin_token_file", self.network.admin_token_file.as_deref()),
            ("database_file", self.access.database_file.as_deref()),
            ("image_key_file", self.access.image_key_file.as_deref()),
            ("database", database.as_deref()),
            ("audit_file", self.audit.audit_file.as_deref()),
        ]
        .into_iter()
        .filter_map(|(what, path)| exposed(what, path?))
        .collect()
    }
}

impl Secret {
    /// The file of SQLite that it names.
    fn file(&self) -> Option<PathBuf> {
        let path = self.reveal();
        let path = path
            .strip_prefix("sqlite://")
            .or_else(|| path.strip_prefix("sqlite:"))
            .unwrap_or(path);
        (path != ":memory:" && !path.contains("://")).then(|| path.into())
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES).read_to_string(&mut text))
        .map_err(|error| wrong(setting, path, &error.to_string()))?;
    Ok(text)
}

/// Without a word of what the file holds: it is a secret, perhaps a mistyped one.
fn wrong(setting: &'static str, path: &Path, reason: &str) -> ConfigError {
    ConfigError::SecretFile {
        setting,
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

/// Whether a settings file sets a secret itself.
fn holds_secret(path: &Path) -> bool {
    let text = Zeroizing::new(std::fs::read_to_string(path).unwrap_or_default());
    let Ok(table) = text.parse::<toml::Table>() else {
        return false;
    };
    let database = table.get("database").and_then(toml::Value::as_str);
    table.contains_key("admin_token")
        || table.contains_key("image_key")
        || database.is_some_and(|address| Secret::from(address).holds_password())
}

#[cfg(not(unix))]
fn exposed(_: &str, _: &Path) -> Option<String> {
    None
}

/// What others can do with the file: a folder above it that is closed to them protects it.
#[cfg(unix)]
fn exposed(what: &str, path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    const OTHERS_READ_OR_WRITE: u32 = 0o006;
    const OTHERS_PASS: u32 = 0o001;

    let path = path.canonicalize().ok()?;
    let mode = path.metadata().ok()?.mode();
    let reachable = path.ancestors().skip(1).all(|folder| {
        folder
            .metadata()
            .is_ok_and(|found| found.mode() & OTHERS_PASS != 0)
    });
    let open = reachable && mode & OTHERS_READ_OR_WRITE != 0;
    open.then(|| {
        format!(
            "{} ({what}) can be read or written by every user of this machine (mode {:04o}): `chmod o-rwx {}`",
            path.display(),
            mode & 0o7777,
            path.display()
        )
    })
}
