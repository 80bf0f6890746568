//! The admin API for keys, on the admin listener: what `livecheck keys` does, for programs. Off unless
//! an admin token is set.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use livecheck_contract::ErrorCode;
use livecheck_engine::Preset;
use livecheck_store::{
    ApiKey, KeyChange, KeyRecord, KeySelector, NewKey, ReplayPolicy, StoreError, Threshold,
    Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::access::auth;
use crate::access::keys::{self, ChangeError, KeyBody};
use crate::app::App;
use crate::error::ApiError;

/// Most bytes of a request's body; a key has some hundred.
const MAX_BODY: usize = 16 * 1024;

/// `{"success": true, "keys": […]}`.
#[derive(Serialize)]
struct Keys {
    success: bool,
    keys: Vec<KeyBody>,
}

/// A key that was made, in clear for the only time.
#[derive(Serialize)]
struct Made {
    success: bool,
    api_key: String,
    key: KeyBody,
}

/// The settings of a key; what is left out stays, or is the server's; null is the server's.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    name: Option<String>,
    sandbox: Option<bool>,
    require_session: Option<bool>,
    #[serde(deserialize_with = "given")]
    expires_in: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    rate: Option<Option<String>>,
    burst: Option<u32>,
    #[serde(deserialize_with = "given")]
    replay: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    preset: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    liveness_threshold: Option<Option<f32>>,
    #[serde(deserialize_with = "given")]
    face_threshold: Option<Option<f32>>,
    #[serde(deserialize_with = "given")]
    mask_threshold: Option<Option<f32>>,
    #[serde(deserialize_with = "given")]
    review_threshold: Option<Option<f32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotation {
    /// How long the old key still works, such as `24h`; until it is revoked when left out.
    grace: Option<String>,
}

/// Tells a null from a field that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn wrong(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, detail)
}

impl Settings {
    fn change(&self, now: Timestamp) -> Result<KeyChange, ApiError> {
        let threshold =
            |value: Option<Option<f32>>| -> Result<Option<Option<Threshold>>, ApiError> {
                let Some(value) = value else { return Ok(None) };
                value
                    .map(Threshold::new)
                    .transpose()
                    .map(Some)
                    .map_err(refused)
            };
        let rate = match &self.rate {
            None if self.burst.is_some() => return Err(wrong("burst needs rate")),
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => Some(Some(keys::parse_rate(text, self.burst).map_err(wrong)?)),
        };
        let expires_at = match &self.expires_in {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => Some(Some(now.plus(duration("expires_in", text)?))),
        };
        let replay = match &self.replay {
            None => None,
            Some(None) => Some(None),
            Some(Some(name)) => Some(Some(
                ReplayPolicy::named(name).ok_or_else(|| wrong("replay is off, flag or refuse"))?,
            )),
        };
        if let Some(Some(name)) = &self.preset
            && Preset::from_name(name).is_none()
        {
            return Err(wrong("preset is convenience, balanced or strict"));
        }
        Ok(KeyChange {
            expires_at,
            require_session: self.require_session,
            rate,
            replay,
            preset: self.preset.clone(),
            liveness: threshold(self.liveness_threshold)?,
            face: threshold(self.face_threshold)?,
            mask: threshold(self.mask_threshold)?,
            review: threshold(self.review_threshold)?,
        })
    }
}

fn duration(name: &str, text: &str) -> Result<std::time::Duration, ApiError> {
    let parsed = humantime::parse_duration(text);
    parsed.map_err(|error| wrong(format!("{name} is a time such as 90d or 12h: {error}")))
}

/// What the store says, as an answer.
fn refused(error: StoreError) -> ApiError {
    let status = match &error {
        StoreError::KeyNotFound(_) => StatusCode::NOT_FOUND,
        StoreError::NameTaken(_) | StoreError::AlreadyRotated(_) => StatusCode::CONFLICT,
        StoreError::BadName(_) | StoreError::BadRate { .. } | StoreError::BadThreshold(_) => {
            StatusCode::BAD_REQUEST
        }
        _ => return error.into(),
    };
    wrong(error.to_string()).with_status(status)
}

async fn body<T: DeserializeOwned + Default>(body: Body) -> Result<T, ApiError> {
    let bytes = to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| wrong(format!("the body is JSON of at most {MAX_BODY} bytes")))?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&bytes).map_err(|error| wrong(format!("the body: {error}")))
}

/// The moment and the body of a request that has the admin token.
fn authorised(app: &App, request: Request<Body>) -> Result<(Timestamp, Body), ApiError> {
    let (parts, body) = request.into_parts();
    auth::admin(app, &parts)?;
    Ok((app.clock.now(), body))
}

fn shown(keys: &[KeyRecord], now: Timestamp) -> Response {
    let keys = keys.iter().map(|key| KeyBody::new(key, now)).collect();
    Json(Keys {
        success: true,
        keys,
    })
    .into_response()
}

fn made((record, key): (KeyRecord, ApiKey), now: Timestamp) -> Response {
    let body = Made {
        success: true,
        api_key: key.reveal().to_owned(),
        key: KeyBody::new(&record, now),
    };
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (now, _) = authorised(&app, request)?;
    let keys = app.store.list_keys().await.map_err(refused)?;
    Ok(shown(&keys, now))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (now, sent) = authorised(&app, request)?;
    let settings: Settings = body(sent).await?;
    let own = settings.change(now)?;
    let thresholds = own.thresholds();
    keys::check_band(&thresholds).map_err(wrong)?;
    let new = NewKey {
        name: settings.name.ok_or_else(|| wrong("name is missing"))?,
        expires_at: own.expires_at.flatten(),
        require_session: own.require_session.unwrap_or(false),
        rate: own.rate.flatten(),
        replay: own.replay.flatten(),
        thresholds,
        sandbox: settings.sandbox.unwrap_or(false),
    };
    let key = app.store.create_key(new, now).await.map_err(refused)?;
    Ok(made(key, now))
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    Path(which): Path<String>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (now, sent) = authorised(&app, request)?;
    let settings: Settings = body(sent).await?;
    if settings.name.is_some() || settings.sandbox.is_some() {
        return Err(wrong(
            "the name of a key, and whether it is a sandbox key, can't be changed",
        ));
    }
    let (which, change) = (KeySelector::from(&*which), settings.change(now)?);
    keys::check_change(app.store.as_ref(), &which, &change)
        .await
        .map_err(|error| match error {
            ChangeError::Band(detail) => wrong(detail),
            ChangeError::Store(error) => refused(error),
        })?;
    let changed = app.store.change_key(&which, &change).await;
    Ok(shown(&changed.map_err(refused)?, now))
}

pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    Path(which): Path<String>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (now, sent) = authorised(&app, request)?;
    let Rotation { grace } = body(sent).await?;
    let grace = grace.map(|grace| duration("grace", &grace)).transpose()?;
    let key = app
        .store
        .rotate_key(&KeySelector::from(&*which), grace, now)
        .await;
    Ok(made(key.map_err(refused)?, now))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Path(which): Path<String>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (now, _) = authorised(&app, request)?;
    let which = KeySelector::from(&*which);
    let revoked = app.store.revoke_key(&which, now).await;
    Ok(shown(&revoked.map_err(refused)?, now))
}
