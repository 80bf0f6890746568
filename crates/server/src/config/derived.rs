//! What the rest of the server reads out of the settings.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;

use livecheck_engine::{
    CalibrationFile, EngineConfig, FindingLimits, Limits, RuntimeSettings, Thresholds,
};

use super::{
    error::ConfigError,
    settings::{EndpointsConfig, EngineSettings, InferenceConfig, ServerConfig},
    value::{Exposure, Share, Switch, Value},
};

/// Most bytes of a calibration file; it has some thousand.
const MAX_CALIBRATION_BYTES: u64 = 1024 * 1024;

impl EngineSettings {
    /// The calibration file, checked against the models of this build; `None` when none is set.
    ///
    /// # Errors
    /// It cannot be read, is none, or was made for other models.
    pub fn calibration_file(&self) -> Result<Option<CalibrationFile>, ConfigError> {
        let Some(path) = &self.calibration else {
            return Ok(None);
        };
        let unusable = |reason: String| ConfigError::Calibration {
            path: path.display().to_string(),
            reason,
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_CALIBRATION_BYTES).read_to_string(&mut text))
            .map_err(|error| unusable(error.to_string()))?;
        CalibrationFile::parse(&text)
            .map(Some)
            .map_err(|error| unusable(error.to_string()))
    }

    /// As the engine wants it.
    ///
    /// # Errors
    /// As [`EngineSettings::calibration_file`].
    pub fn to_engine(&self) -> Result<EngineConfig, ConfigError> {
        let calibration = self
            .calibration_file()?
            .map(|file| file.calibration)
            .unwrap_or_default();
        Ok(EngineConfig {
            calibration,
            findings: FindingLimits {
                face_cut_off: self.finding_face_cut_off,
                face_too_close: self.finding_face_too_close,
                face_small: self.finding_face_small,
                pose_yaw: self.finding_pose_yaw,
                pose_pitch: self.finding_pose_pitch,
                pose_roll: self.finding_pose_roll,
                blur: self.finding_blur,
                dark: self.finding_dark,
                bright: self.finding_bright,
                backlight: self.finding_backlight,
                glare: self.finding_glare,
                low_contrast: self.finding_low_contrast,
                strong_compression: self.finding_strong_compression,
                upscaled: self.finding_upscaled,
                greyscale: self.finding_greyscale,
                border: self.finding_border,
                rotated: self.finding_rotated,
                second_face: self.finding_second_face,
            },
            limits: Limits {
                max_file_bytes: self.max_file_bytes,
                max_pixels: self.max_pixels,
                min_image_side: self.min_image_side,
                min_face_side: self.min_face_side,
            },
            thresholds: Thresholds {
                face: self.face_threshold,
                liveness: self.liveness_threshold,
                mask: self.mask_threshold,
                review: self.review_threshold.map(Share::value),
            },
        })
    }
}

/// Where an endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// With the API.
    Public,
    /// On the admin listener.
    Admin,
}

impl ServerConfig {
    /// Where each operations endpoint is served; `None`: nowhere.
    #[must_use]
    pub fn served(&self) -> [(&'static str, Option<Listener>); 7] {
        let on = &self.endpoints;
        let has_admin = self.network.admin_listen.is_some();
        let place = |exposure, falls_back| match exposure {
            Exposure::Public => Some(Listener::Public),
            Exposure::Admin if has_admin => Some(Listener::Admin),
            Exposure::Admin if falls_back => Some(Listener::Public),
            Exposure::Admin | Exposure::Off => None,
        };
        [
            ("/healthz", place(on.healthz, true)),
            ("/readyz", place(on.readyz, true)),
            // What runs here and how busy it is: on a public listener only when told so.
            ("/metrics", place(on.metrics, false)),
            ("/version", place(on.version, false)),
            ("/openapi.json", place(on.openapi, true)),
            ("/docs", place(on.docs, true)),
            ("/demo", place(on.demo, true)),
        ]
    }
}

impl ServerConfig {
    /// Where the admin listener can be reached from other machines, unless the network is declared to
    /// protect it.
    fn exposed_admin_listener(&self) -> Option<SocketAddr> {
        let address = self.network.admin_listen?;
        let safe =
            address.ip().to_canonical().is_loopback() || self.network.admin_open == Switch::On;
        (!safe).then_some(address)
    }

    /// Why the admin listener may not be opened; `None`: it may.
    #[must_use]
    pub fn forbidden_admin_listener(&self) -> Option<String> {
        let address = self.exposed_admin_listener()?;
        self.network.admin_token.is_none().then(|| {
            format!(
                "admin_listen is {address}, which other machines can reach, and no admin_token is set: set admin_token or admin_token_file, or listen on 127.0.0.1, or, if the network lets nobody but your monitoring reach that port, set admin_open = true"
            )
        })
    }

    /// What other machines see on the admin listener although there is a token, which nothing but the
    /// admin API asks for; `None`: nothing.
    #[must_use]
    pub fn open_admin_listener(&self) -> Option<String> {
        let address = self.exposed_admin_listener()?;
        if self.forbidden_admin_listener().is_some() {
            return None;
        }
        let open = self.served().into_iter().filter_map(|(path, listener)| {
            let harmless = ["/healthz", "/readyz"].contains(&path);
            (listener == Some(Listener::Admin) && !harmless).then_some(path)
        });
        let open: Vec<_> = open.collect();
        (!open.is_empty()).then(|| {
            format!(
                "admin_listen is {address}, so whoever reaches that port sees {} without a token: let only your monitoring reach it and set admin_open = true, or listen on 127.0.0.1",
                open.join(", ")
            )
        })
    }
}

impl EndpointsConfig {
    /// Whether /metrics on this listener has the histogram of scores.
    pub(crate) fn shows_scores(&self, listener: Listener) -> bool {
        match self.score_histogram {
            Exposure::Public => true,
            Exposure::Admin => listener == Listener::Admin,
            Exposure::Off => false,
        }
    }
}

impl InferenceConfig {
    /// As the engine wants it.
    #[must_use]
    pub fn to_runtime(&self) -> RuntimeSettings {
        RuntimeSettings {
            choice: self.runtime,
            library: self.onnxruntime.clone(),
            sha256: self.onnxruntime_sha256.as_ref().map(Value::show),
            execution_provider: self.execution_provider,
        }
    }
}
