//! `POST /liveness/`: one photo in, one verdict out.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Version};
use axum::response::{IntoResponse, Response};
use livecheck_contract::openapi::True;
use livecheck_engine::Details;
use livecheck_upload::{Upload, details_flag};
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::access::auth::{self, Caller};
use crate::access::keys;
use crate::app::{App, Now};
use crate::check::pipeline::{Check, Judged};
use crate::check::sandbox::Scenario;
use crate::check::shares::Tenant;
use crate::error::ApiError;
use crate::http::upload::{self, HTTP2_STREAM_WINDOW, ReadLimits};

/// The answer for an image that was judged.
#[derive(Serialize, ToSchema)]
pub(super) struct Success {
    /// Always `true`.
    #[schema(value_type = True, inline)]
    success: bool,
    result: LivenessResult,
    /// Only with sandbox keys: no photo was judged.
    #[schema(value_type = True, inline)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sandbox: bool,
}

/// The verdict.
#[derive(Serialize, ToSchema)]
struct LivenessResult {
    /// Whether the score reaches the liveness threshold.
    liveness: bool,
    /// Confidence that the face is a live person.
    #[schema(minimum = 0, maximum = 1)]
    score: f32,
    /// Only where a review threshold is set: the score reaches it and not the liveness threshold, so let
    /// people look.
    #[schema(value_type = True, inline)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    review: bool,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<FullDetails>,
}

/// What led to the verdict; only when asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Details)]
struct FullDetails {
    #[schema(inline)]
    #[serde(flatten)]
    engine: Details,
    /// Whether this very file was judged before with this key; only with keys that ask for it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
}

pub(crate) async fn check(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let mut caller = Caller::default();
    let outcome = answer(&app, &parts, body, &mut caller).await;
    let sandbox = caller.is_sandbox();
    let response = match outcome {
        Ok(success) => Json(success).into_response(),
        Err(error) => {
            if !sandbox {
                app.metrics.rejected(error.code());
            }
            error.in_sandbox(sandbox).into_response()
        }
    };
    caller.finish(response)
}

/// The checks in the order of the contract: `001`, `061`/`062`, `003`, `004`, `002`/`003`, then
/// what the engine finds.
async fn answer(
    app: &Arc<App>,
    request: &Parts,
    body: Body,
    caller: &mut Caller,
) -> Result<Success, ApiError> {
    if app.phase.now() == Now::Starting {
        return Err(ApiError::unavailable(
            "the server is starting: try again shortly",
        ));
    }
    let headers = &request.headers;
    let key = caller.identify(app, request).await?;
    let session = auth::session(app, &key, request).await?;
    let tenant = Tenant::from(&key.id);
    if app.pool.is_full(&tenant) {
        return Err(overloaded(app, &tenant));
    }

    let started = Instant::now();
    let mut memory = app.uploads.share(tenant.clone());
    let upload = upload::read(
        headers,
        body,
        &read_limits(app, request.version),
        &mut memory,
    )
    .await?;
    let details = details_wanted(request.uri.query().unwrap_or_default(), &upload)?;
    if !key.sandbox {
        app.metrics.stage("upload", started.elapsed());
    }

    let deadline = tokio::time::Instant::now() + app.config.times.judge_timeout;
    let ticket = if memory.is_large() {
        // It has waited to be received: it is not turned away at the next door.
        app.pool.admit_by(&tenant, deadline).await
    } else {
        app.pool.admit(&tenant)
    };
    let ticket = ticket.ok_or_else(|| overloaded(app, &tenant))?;
    let thresholds = keys::thresholds(&app.judge.config().thresholds, &key.thresholds);
    let check = Check {
        app: Arc::clone(app),
        replay: key.replay.unwrap_or(app.config.access.replay),
        request_id: request.extensions.get().cloned(),
        thresholds,
        key,
        session,
        ticket,
        deadline,
        explain: details,
    };
    if check.key.sandbox {
        let scenario = Scenario::of(headers)?;
        auth::is_still_live(app, request).await?;
        let pretended = check
            .pretend(upload.file, memory, scenario, details)
            .await?;
        return Ok(Success {
            success: true,
            result: LivenessResult {
                liveness: pretended.live,
                score: pretended.score,
                review: pretended.review,
                details: pretended.details.map(|engine| FullDetails {
                    engine,
                    replayed: None,
                }),
            },
            sandbox: true,
        });
    }
    let Judged { verdict, replayed } = if check.is_plain() {
        auth::is_still_live(app, request).await?;
        check.at_once(upload.file, memory).await?
    } else {
        let decoded = check.decode(upload.file, memory).await?;
        auth::is_still_live(app, request).await?;
        // From here on a use may be taken, so the work goes on in a task of its own, which also gives
        // the use back, when this request is dropped with its connection.
        let (client, verdict) = oneshot::channel();
        app.tasks.spawn(check.judge(decoded, client));
        verdict.await.map_err(|_| ApiError::internal())??
    };
    Ok(Success {
        success: true,
        result: LivenessResult {
            liveness: verdict.live,
            score: verdict.score,
            review: verdict.details.thresholds.needs_review(verdict.score),
            details: details.then_some(FullDetails {
                engine: verdict.details,
                replayed,
            }),
        },
        sandbox: false,
    })
}

fn read_limits(app: &App, version: Version) -> ReadLimits {
    let times = &app.config.times;
    ReadLimits {
        file_bytes: app.judge.config().limits.max_file_bytes,
        idle: times.body_idle_timeout,
        bytes_per_second: times.min_upload_rate,
        total: times.upload_timeout,
        window: match version {
            Version::HTTP_2 => HTTP2_STREAM_WINDOW as usize,
            _ => 0,
        },
    }
}

/// `details` from the query or the body; either suffices.
fn details_wanted(query: &str, upload: &Upload) -> Result<bool, ApiError> {
    let mut wanted = upload.details.unwrap_or(false);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "details" {
            wanted |= details_flag(value.as_bytes())?;
        }
    }
    Ok(wanted)
}

fn overloaded(app: &App, tenant: &Tenant) -> ApiError {
    ApiError::unavailable("the server is busy judging other images: try again shortly")
        .retry_after(app.pool.come_back(tenant))
}
