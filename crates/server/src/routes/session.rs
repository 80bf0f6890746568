//! `GET /session/`: a token for a few liveness checks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// The body of an opened session.
#[derive(Serialize)]
pub(crate) struct Session {
    /// Always `true`.
    success: bool,
    /// 32 characters of base64url: the value of the header `x-session-token`.
    session_token: String,
    /// Only with sandbox keys.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sandbox: bool,
}

pub(crate) async fn open(State(app): State<Arc<App>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let mut caller = Caller::default();
    let response = match answer(&app, &request, &mut caller).await {
        Ok(session) => Json(session).into_response(),
        Err(error) => error.in_sandbox(caller.is_sandbox()).into_response(),
    };
    caller.finish(response)
}

async fn answer(app: &App, request: &Parts, caller: &mut Caller) -> Result<Session, ApiError> {
    let key = caller.identify(app, request).await?;
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
        sandbox: key.sandbox,
    })
}
