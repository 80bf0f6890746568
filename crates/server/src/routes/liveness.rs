//! `POST /liveness/`: one photo in, one verdict out.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use livecheck_engine::{Details, ErrorCode, Photo, Rejection, Verdict};
use livecheck_store::{KeyId, TokenHash};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::app::{App, Now};
use crate::auth;
use crate::error::ApiError;
use crate::pool::{Job, JobError, Lane, Ticket};
use crate::upload::{self, ReadError, ReadLimits, Reserved, Upload};

/// `{"success": true, "result": …}`.
#[derive(Serialize)]
struct Success {
    success: bool,
    result: LivenessResult,
}

#[derive(Serialize)]
struct LivenessResult {
    liveness: bool,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

pub(crate) async fn check(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let mut rate = auth::RateHeaders::default();
    let outcome = answer(
        &app,
        &parts.headers,
        parts.uri.query().unwrap_or_default(),
        body,
        &mut rate,
    )
    .await;
    let mut response = match outcome {
        Ok(success) => Json(success).into_response(),
        Err(error) => {
            app.metrics.rejected(error.code());
            error.into_response()
        }
    };
    rate.put(response.headers_mut());
    response
}

/// The checks in the order of the contract: `001`, `061`/`062`, `003`, `004`, `002`/`003`, then
/// what the engine finds.
async fn answer(
    app: &Arc<App>,
    headers: &HeaderMap,
    query: &str,
    body: Body,
    rate: &mut auth::RateHeaders,
) -> Result<Success, ApiError> {
    if app.phase.now() == Now::Starting {
        return Err(ApiError::unavailable(
            "the server is starting: try again shortly",
        ));
    }
    let key = auth::key(app, headers).await?;
    *rate = auth::rate(app, &key).await?;
    let session = auth::session(app, &key, headers).await?;
    if app.pool.is_full() {
        return Err(overloaded());
    }

    let started = Instant::now();
    let mut memory = app.uploads.share();
    let upload = upload::read(headers, body, &read_limits(app), &mut memory).await?;
    let details = details_wanted(query, &upload)?;
    app.metrics.stage("upload", started.elapsed());

    let ticket = app.pool.admit().ok_or_else(overloaded)?;
    let check = Check {
        app: Arc::clone(app),
        key: key.id.clone(),
        session,
        ticket,
        deadline: tokio::time::Instant::now() + app.config.times.judge_timeout,
    };
    let (photo, memory) = check.decode(upload.file, memory).await?;

    // From here on a use may be taken, so the work goes on in a task of its own, which also gives
    // the use back, when this request is dropped with its connection.
    let (client, verdict) = oneshot::channel();
    app.tasks.spawn(check.judge(photo, memory, client));
    let verdict = verdict.await.map_err(|_| ApiError::internal())??;
    Ok(Success {
        success: true,
        result: LivenessResult {
            liveness: verdict.live,
            score: verdict.score,
            details: details.then_some(verdict.details),
        },
    })
}

fn read_limits(app: &App) -> ReadLimits {
    let times = &app.config.times;
    ReadLimits {
        file_bytes: app.judge.config().limits.max_file_bytes,
        idle: times.body_idle_timeout,
        bytes_per_second: times.min_upload_rate,
        total: times.upload_timeout,
    }
}

/// `details` from the query or the body; either suffices.
fn details_wanted(query: &str, upload: &Upload) -> Result<bool, ApiError> {
    let mut wanted = upload.details.unwrap_or(false);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "details" {
            wanted |= upload::details_flag(value.as_bytes())?;
        }
    }
    Ok(wanted)
}

fn overloaded() -> ApiError {
    ApiError::unavailable("the server is judging as many images as it can: try again shortly")
}

/// One request on its way through the pool.
struct Check {
    app: Arc<App>,
    key: KeyId,
    session: Option<TokenHash>,
    ticket: Ticket,
    deadline: tokio::time::Instant,
}

/// Why a job gave nothing.
enum Failed {
    TooLate,
    ClientGone,
    Job(JobError),
}

impl Check {
    /// The photo, and its share of the memory: its pixels take more than its file, and they may
    /// have to wait for the database and for a thread.
    async fn decode(
        &self,
        file: Vec<u8>,
        mut memory: Reserved,
    ) -> Result<(Photo, Reserved), ApiError> {
        let judge = Arc::clone(&self.app.judge);
        let queued = Instant::now();
        let metrics = Arc::clone(&self.app);
        let job = self.app.pool.run(&self.ticket, Lane::Fresh, move || {
            metrics.metrics.stage("queue", queued.elapsed());
            let photo = judge.decode(&file)?;
            if memory.grow_to(photo.rgb.len()) {
                Ok((photo, memory))
            } else {
                Err(ApiError::from(ReadError::NoMemory))
            }
        });
        let result = self.wait(job, std::future::pending()).await;
        result.map_err(|failed| self.explain(&failed))?
    }

    /// Takes a use, judges, gives the use back when there was no judgement, and tells the client.
    async fn judge(
        self,
        photo: Photo,
        memory: Reserved,
        mut client: oneshot::Sender<Result<Verdict, ApiError>>,
    ) {
        let answer = self.judge_counted(photo, memory, &mut client).await;
        // A client that has gone needs no answer.
        drop(client.send(answer));
    }

    async fn judge_counted(
        &self,
        photo: Photo,
        memory: Reserved,
        client: &mut oneshot::Sender<Result<Verdict, ApiError>>,
    ) -> Result<Verdict, ApiError> {
        if let Some(token) = &self.session {
            let state = self
                .app
                .store
                .take_use(token, &self.key, self.app.clock.now())
                .await
                .inspect_err(|_| self.app.metrics.store_failed())?;
            auth::usable(&self.app, state)?;
        }
        let judge = Arc::clone(&self.app.judge);
        let job = self.app.pool.run(&self.ticket, Lane::Begun, move || {
            // No more photos are being judged than there are threads: that needs no counting.
            drop(memory);
            judge.judge(&photo)
        });
        let answer = match self.wait(job, client.closed()).await {
            Ok(Ok(verdict)) => {
                self.app.metrics.judged(&verdict);
                Ok(verdict)
            }
            Ok(Err(rejection)) => {
                if let Rejection::Internal(_) = rejection {
                    tracing::error!(%rejection, "judging failed");
                    Err(ApiError::internal())
                } else {
                    Err(rejection.into())
                }
            }
            Err(failed) => Err(self.explain(&failed)),
        };
        let unjudged = answer
            .as_ref()
            .is_err_and(|error| error.code() == ErrorCode::Internal);
        if let (true, Some(token)) = (unjudged, &self.session)
            && let Err(error) = self.app.store.return_use(token, &self.key).await
        {
            self.app.metrics.store_failed();
            tracing::error!(%error, "a use of a session was taken for an image that was not judged");
        }
        answer
    }

    /// The job's result, unless the deadline comes first, or the client goes before it is begun.
    async fn wait<T>(
        &self,
        mut job: Job<T>,
        client_gone: impl Future<Output = ()>,
    ) -> Result<T, Failed> {
        let deadline = tokio::time::sleep_until(self.deadline);
        tokio::pin!(deadline, client_gone);
        let mut watching = true;
        loop {
            tokio::select! {
                biased;
                result = &mut job => return result.map_err(Failed::Job),
                () = &mut deadline => return Err(Failed::TooLate),
                () = &mut client_gone, if watching => {
                    if job.cancel() {
                        return Err(Failed::ClientGone);
                    }
                    watching = false;
                }
            }
        }
    }

    fn explain(&self, failed: &Failed) -> ApiError {
        match failed {
            Failed::TooLate => ApiError::unavailable(format!(
                "the image could not be judged within {} seconds: try again shortly",
                self.app.config.times.judge_timeout.as_secs()
            )),
            Failed::ClientGone | Failed::Job(JobError::Dropped) => {
                ApiError::unavailable("the request was given up before the image was judged")
            }
            Failed::Job(JobError::Panicked) => {
                self.app.metrics.panicked();
                tracing::error!("judging panicked");
                ApiError::internal()
            }
        }
    }
}
