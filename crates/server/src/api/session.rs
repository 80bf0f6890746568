//! `GET /session/`: a token for a few liveness checks.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use livecheck_contract::{ErrorCode, Session};
use livecheck_store::{KeyRecord, Rate};

use crate::access::auth::Caller;
use crate::app::App;
use crate::error::ApiError;

/// When to come back where the key has as many open sessions as it may have.
const RETRY_LATER: Duration = Duration::from_secs(60);

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
    within_limits(app, &key).await?;
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

/// That the key may open another session: a client that opens them without end would fill the
/// database.
///
/// # Errors
/// `005` with 429, or with 503 while the store is away.
async fn within_limits(app: &App, key: &KeyRecord) -> Result<(), ApiError> {
    let access = &app.config.access;
    let now = app.clock.now();
    if access.session_rate > 0.0 {
        let rate = Rate::new(access.session_rate, access.session_burst)?;
        let decision = app
            .store
            .take_session_rate(&key.id, rate, now)
            .await
            .inspect_err(|_| app.metrics.store_failed())?;
        if !decision.allowed {
            let detail = format!(
                "this key may open {} sessions a second and {} at once; try again in {:.1} seconds",
                rate.per_second(),
                rate.burst(),
                decision.retry_after.as_secs_f32()
            );
            return Err(too_many(detail, decision.retry_after));
        }
    }
    let most = access.max_open_sessions;
    if most > 0 {
        let open = app
            .store
            .count_sessions(&key.id, now, most)
            .await
            .inspect_err(|_| app.metrics.store_failed())?;
        if open >= most {
            let detail = format!(
                "this key has {open} open sessions, the maximum allowed; a session expires {} minutes after it was opened",
                access.session_lifetime.as_secs().div_ceil(60)
            );
            return Err(too_many(detail, RETRY_LATER));
        }
    }
    Ok(())
}

fn too_many(detail: String, wait: Duration) -> ApiError {
    ApiError::new(ErrorCode::Internal, detail)
        .with_status(StatusCode::TOO_MANY_REQUESTS)
        .retry_after(wait)
}
