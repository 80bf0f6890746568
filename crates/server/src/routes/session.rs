//! `GET /session/`: a token for a few liveness checks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;
use crate::auth;
use crate::error::ApiError;

/// The body of an opened session.
#[derive(Serialize)]
pub(crate) struct Session {
    /// Always `true`.
    success: bool,
    /// 32 characters of base64url: the value of the header `x-session-token`.
    session_token: String,
}

pub(crate) async fn open(State(app): State<Arc<App>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let mut rate = auth::RateHeaders::default();
    let mut response = match answer(&app, &request, &mut rate).await {
        Ok(session) => Json(session).into_response(),
        Err(error) => error.into_response(),
    };
    rate.put(response.headers_mut());
    response
}

async fn answer(
    app: &App,
    request: &Parts,
    rate: &mut auth::RateHeaders,
) -> Result<Session, ApiError> {
    let key = auth::key(app, request).await?;
    *rate = auth::rate(app, &key).await?;
    let access = &app.config.access;
    let token = app
        .store
        .create_session(
            &key.id,
            access.session_uses,
            app.clock.now().plus(access.session_lifetime),
        )
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    Ok(Session {
        success: true,
        session_token: token.reveal().to_owned(),
    })
}
