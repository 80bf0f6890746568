//! Settings from the file, the environment and flags.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use toml::Spanned;

use super::{
    error::ConfigError,
    settings::{ENV_PREFIX, EngineSettings, OTLP_SETTING, SECRETS, ServerConfig, settings},
    value::{self, Share},
};
use crate::http::upload::least_memory;

/// Variables with the prefix that are no settings: the file of settings, those of client programs
/// and their examples, and those of tests and tools. A shell that has them set can start the server.
const FOREIGN: [&str; 11] = [
    "API_KEY",
    "BINARY",
    "CHROMIUM",
    "CONFIG",
    "DATA",
    "PHOTO",
    "POSTGRES_BIN",
    "REQUIRE_POSTGRES",
    "SCREENSHOTS",
    "UPDATE_SNAPSHOTS",
    "URL",
];

/// Whether a variable with the prefix is one of [`FOREIGN`], or one of those that Kubernetes sets
/// for a service named `livecheck`.
fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name)
        || name == "PORT"
        || name.starts_with("PORT_")
        || name.starts_with("SERVICE_")
}

impl ServerConfig {
    /// Settings from everywhere: `file`, then `environment` (all variables; those of other
    /// programs are skipped), then `flags` as pairs of a name (`min-face-side` or `min_face_side`)
    /// and a value.
    ///
    /// # Errors
    /// The first wrong setting, with its origin and what is allowed.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut given = HashSet::new();
        if let Some(path) = file {
            config.overlay_file(path, &mut given)?;
        }
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            if is_foreign(name) {
                continue;
            }
            let origin = format!("the environment variable {variable}");
            given.insert(config.overlay(&name.to_lowercase(), &value, &origin)?);
        }
        for (flag, value) in flags {
            let name = flag.trim_start_matches('-').replace('-', "_");
            let origin = format!("the flag --{}", name.replace('_', "-"));
            given.insert(config.overlay(&name, &value, &origin)?);
        }
        config.read_secret_files()?;
        config.engine.take_preset(&given);
        config.check()?;
        Ok(config)
    }

    fn overlay_file(
        &mut self,
        path: &Path,
        given: &mut HashSet<&'static str>,
    ) -> Result<(), ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: shown.clone(),
            reason: error.to_string(),
        })?;
        let line_of = |at: usize| {
            let before = text.as_bytes().get(..at).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let parsed: Result<BTreeMap<String, Spanned<toml::Value>>, _> = toml::from_str(&text);
        let table = parsed.map_err(|error| {
            // Without the quoted line: it may hold a password.
            let place = error
                .span()
                .map(|span| format!(", line {}", line_of(span.start)));
            ConfigError::NotToml {
                path: format!("{shown}{}", place.unwrap_or_default()),
                reason: error.message().to_owned(),
            }
        })?;
        for (name, value) in &table {
            let origin = format!(
                "the settings file {shown}, line {},",
                line_of(value.span().start)
            );
            if let toml::Value::Table(section) = value.get_ref() {
                return Err(ConfigError::Section {
                    origin,
                    name: name.clone(),
                    example: section
                        .keys()
                        .next()
                        .cloned()
                        .unwrap_or_else(|| "listen".to_owned()),
                });
            }
            given.insert(self.overlay(name, &value::from_toml(value.get_ref()), &origin)?);
        }
        Ok(())
    }

    /// Sets one setting and returns its name.
    fn overlay(
        &mut self,
        name: &str,
        text: &str,
        origin: &str,
    ) -> Result<&'static str, ConfigError> {
        let table = settings();
        let Some(setting) = table.iter().find(|setting| setting.name == name) else {
            if name == OTLP_SETTING {
                return Err(ConfigError::Conflict(format!(
                    "{origin} sets {OTLP_SETTING}, but this build cannot send traces: build it with the feature otlp"
                )));
            }
            return Err(ConfigError::Unknown {
                origin: origin.to_owned(),
                name: name.to_owned(),
                hint: value::nearest(name, table.iter().map(|setting| setting.name))
                    .map(|near| format!(" (did you mean {near:?}?)"))
                    .unwrap_or_default(),
            });
        };
        self.set(setting.name, text)
            .map(|()| setting.name)
            .map_err(|allowed| ConfigError::NotAllowed {
                origin: origin.to_owned(),
                name: name.to_owned(),
                value: if SECRETS.contains(&name) {
                    "[redacted]".to_owned()
                } else {
                    text.to_owned()
                },
                allowed,
            })
    }

    /// What one setting demands of another.
    fn check(&self) -> Result<(), ConfigError> {
        if self.network.tls_cert.is_some() != self.network.tls_key.is_some() {
            return Err(ConfigError::Conflict(
                "tls_cert and tls_key go together: set both or neither".to_owned(),
            ));
        }
        if self.network.admin_token.is_some() && self.network.admin_listen.is_none() {
            return Err(ConfigError::Conflict(
                "admin_token needs admin_listen: the admin API is not served on the API's listener"
                    .to_owned(),
            ));
        }
        if self.access.image_key.is_some() && self.access.image_key_file.is_some() {
            return Err(ConfigError::Conflict(
                "image_key and image_key_file exclude each other: set one of them".to_owned(),
            ));
        }
        if let Some(review) = self.engine.review_threshold.map(Share::value)
            && review >= self.engine.liveness_threshold
        {
            return Err(ConfigError::Conflict(format!(
                "review_threshold is {review}; it must be below liveness_threshold, which is {}",
                self.engine.liveness_threshold
            )));
        }
        let least = least_memory(self.engine.max_file_bytes);
        if self.pool.upload_memory < least {
            return Err(ConfigError::Conflict(format!(
                "upload_memory is {} bytes; with max_file_bytes {} it must be at least {least}",
                self.pool.upload_memory, self.engine.max_file_bytes
            )));
        }
        Ok(())
    }
}

impl EngineSettings {
    /// Thresholds that no setting names come from the preset.
    fn take_preset(&mut self, given: &HashSet<&str>) {
        let Some(preset) = self.preset else { return };
        let thresholds = preset.thresholds();
        for (name, setting, value) in [
            ("face_threshold", &mut self.face_threshold, thresholds.face),
            (
                "liveness_threshold",
                &mut self.liveness_threshold,
                thresholds.liveness,
            ),
            ("mask_threshold", &mut self.mask_threshold, thresholds.mask),
        ] {
            if !given.contains(name) {
                *setting = value;
            }
        }
    }
}
