//! One photo through the check: read, judged, recorded, and forgotten again where it was not judged.

use std::sync::Arc;
use std::time::Instant;

use livecheck_contract::ErrorCode;
use livecheck_engine::{Details, Finding, Located, Rejection, Thresholds, Verdict};
use livecheck_store::{
    ImageKey, ImageMac, ImageState, KeyRecord, ReplayPolicy, Timestamp, TokenHash,
};
use tokio::sync::oneshot;
use zeroize::Zeroize as _;

use crate::access::auth;
use crate::app::App;
use crate::check::audit::Line;
use crate::check::judge::Judge;
use crate::check::pool::{Job, JobError, Lane, Ticket};
use crate::check::sandbox::{self, Scenario};
use crate::error::ApiError;
use crate::http::request_id::RequestId;
use crate::http::upload::{ReadError, Reserved};

/// A verdict, and whether the file came again.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) replayed: Option<bool>,
}

/// What a sandbox key asked for.
pub(crate) struct Pretended {
    pub(crate) live: bool,
    pub(crate) score: f32,
    pub(crate) review: bool,
    pub(crate) details: Option<Details>,
}

/// One request on its way through the pool.
pub(crate) struct Check {
    pub(crate) app: Arc<App>,
    pub(crate) key: Arc<KeyRecord>,
    pub(crate) replay: ReplayPolicy,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) thresholds: Thresholds,
    pub(crate) session: Option<TokenHash>,
    pub(crate) ticket: Ticket,
    pub(crate) deadline: tokio::time::Instant,
    /// Whether findings are wanted.
    pub(crate) explain: bool,
}

/// A photo that can be judged, and its share of the memory: its pixels take more than its file, and
/// they may have to wait for the database and for a thread.
pub(crate) struct Decoded {
    photo: Wiped,
    memory: Reserved,
    /// The file's hash, if anything needs it.
    image: Option<ImageMac>,
}

/// A photo whose pixels are overwritten when it is dropped.
struct Wiped(Located);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0.photo.rgb);
    }
}

/// A file that is overwritten when it is dropped.
struct WipedFile(Vec<u8>);

impl Drop for WipedFile {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites all at once: a `Vec` overwrites itself byte by byte, which takes a millisecond for a photo.
fn wipe(bytes: &mut Vec<u8>) {
    bytes.as_mut_slice().zeroize();
    bytes.spare_capacity_mut().zeroize();
}

/// What was remembered of an image before it was judged.
struct Remembered {
    image: ImageMac,
    state: ImageState,
    until: Timestamp,
}

/// Why a job gave nothing.
enum Failed {
    TooLate,
    ClientGone,
    Job(JobError),
}

/// The judgement and, where they are wanted, its findings.
type JudgedPhoto = (Result<Verdict, Rejection>, Option<Vec<Finding>>);

fn judged(judge: &dyn Judge, photo: &Wiped, thresholds: &Thresholds, explain: bool) -> JudgedPhoto {
    let judged = judge.judge(&photo.0, thresholds);
    let findings = explain.then(|| judge.findings(&photo.0, judged.as_ref()));
    match findings.transpose() {
        Ok(findings) => (judged, findings),
        Err(failure) => (Err(failure), None),
    }
}

/// What the client is told of it.
fn answer(
    app: &App,
    judged: Result<Verdict, Rejection>,
    findings: Option<Vec<Finding>>,
) -> Result<Verdict, ApiError> {
    match judged {
        Ok(mut verdict) => {
            app.metrics.judged(&verdict);
            verdict.details.findings = findings;
            Ok(verdict)
        }
        Err(rejection @ Rejection::Internal(_)) => {
            tracing::error!(%rejection, "judging failed");
            Err(ApiError::internal())
        }
        Err(rejection) => Err(ApiError::from(rejection).with_findings(findings)),
    }
}

impl Check {
    /// Whether nothing is asked or written between reading the photo and answering: then a single job does all.
    pub(crate) fn is_plain(&self) -> bool {
        self.session.is_none() && self.replay == ReplayPolicy::Off && self.app.audit.is_none()
    }

    /// Reads the photo of the file and judges it, in one job. For a plain check.
    pub(crate) async fn at_once(
        &self,
        file: Vec<u8>,
        memory: Reserved,
    ) -> Result<Judged, ApiError> {
        let file = WipedFile(file);
        let judge = Arc::clone(&self.app.judge);
        let app = Arc::clone(&self.app);
        let (thresholds, explain) = (self.thresholds, self.explain);
        let queued = Instant::now();
        let job = self.app.pool.run(&self.ticket, Lane::Whole, move || {
            app.metrics.stage("queue", queued.elapsed());
            // No more photos are being judged than there are threads: their pixels need no counting.
            let photo = match judge.locate(&file.0, &thresholds) {
                Ok(photo) => Wiped(photo),
                Err(rejection) => return (Err(ApiError::from(rejection)), (file, memory, None)),
            };
            let (judged, findings) = judged(judge.as_ref(), &photo, &thresholds, explain);
            let answer = answer(&app, judged, findings);
            (answer, (file, memory, Some(photo)))
        });
        let result = self.wait(job, std::future::pending()).await;
        let verdict = result.map_err(|failed| self.explain(&failed))??;
        Ok(Judged {
            verdict,
            replayed: None,
        })
    }

    /// The photo of the file. The file itself is overwritten and freed here.
    pub(crate) async fn decode(
        &self,
        file: Vec<u8>,
        memory: Reserved,
    ) -> Result<Decoded, ApiError> {
        let file = WipedFile(file);
        let hashed_with = self.image_key().await?.cloned();
        let judge = Arc::clone(&self.app.judge);
        let thresholds = self.thresholds;
        let queued = Instant::now();
        let metrics = Arc::clone(&self.app);
        let job = self.app.pool.run(&self.ticket, Lane::Fresh, move || {
            metrics.metrics.stage("queue", queued.elapsed());
            let decoded = judge.locate(&file.0, &thresholds).map(Wiped);
            let decoded = decoded.map_err(ApiError::from).and_then(|photo| {
                let memory = memory
                    .photo(photo.0.photo.rgb.len())
                    .ok_or(ApiError::from(ReadError::NoMemory))?;
                let image = hashed_with.map(|key| key.mac(&file.0));
                Ok(Decoded {
                    photo,
                    memory,
                    image,
                })
            });
            (decoded, file)
        });
        let result = self.wait(job, std::future::pending()).await;
        result.map_err(|failed| self.explain(&failed))?
    }

    /// The secret to hash the image with; `None` when nothing needs the hash.
    async fn image_key(&self) -> Result<Option<&ImageKey>, ApiError> {
        if self.replay == ReplayPolicy::Off && self.app.audit.is_none() {
            return Ok(None);
        }
        let key = self.app.image_key.get(self.app.store.as_ref()).await;
        Ok(Some(key.inspect_err(|_| self.app.metrics.store_failed())?))
    }

    /// Judges, and tells the client.
    pub(crate) async fn judge(
        self,
        decoded: Decoded,
        mut client: oneshot::Sender<Result<Judged, ApiError>>,
    ) {
        let answer = self.judge_once(decoded, &mut client).await;
        // A client that has gone needs no answer.
        drop(client.send(answer));
    }

    /// Remembers the image and judges it, and forgets it again when there was no judgement.
    async fn judge_once(
        &self,
        decoded: Decoded,
        client: &mut oneshot::Sender<Result<Judged, ApiError>>,
    ) -> Result<Judged, ApiError> {
        let remembered = match decoded.image {
            Some(image) if self.replay != ReplayPolicy::Off => Some(self.remember(image).await?),
            _ => None,
        };
        let answer = self.judge_counted(decoded, client).await;
        let judged = match &answer {
            Ok(_) => true,
            // What the engine found is a judgement; a used-up session or a failure is none.
            Err(error) => matches!(
                error.code(),
                ErrorCode::ResolutionTooLow | ErrorCode::FaceCount | ErrorCode::FaceMask
            ),
        };
        if let Some(remembered) = &remembered {
            self.settle(remembered, judged).await;
        }
        Ok(Judged {
            verdict: answer?,
            replayed: remembered.map(|image| image.state == ImageState::Seen),
        })
    }

    /// Asks whether the image was judged before, in the same statement that remembers it.
    async fn remember(&self, image: ImageMac) -> Result<Remembered, ApiError> {
        let now = self.app.clock.now();
        let until = now.plus(self.app.config.access.replay_window);
        let state = self
            .app
            .store
            .remember_image(&self.key.id, &image, now, until)
            .await
            .inspect_err(|_| self.app.metrics.store_failed())?;
        if state == ImageState::Seen {
            let refuse = self.replay == ReplayPolicy::Refuse;
            self.app.metrics.replayed(refuse);
            if refuse {
                return Err(ApiError::new(
                    ErrorCode::UnreadableImage,
                    "this file was judged before with this key, and each file is judged only once: take a new photo",
                ));
            }
        }
        Ok(Remembered {
            image,
            state,
            until,
        })
    }

    /// A judged image is remembered for the whole window from now, one that was not is forgotten.
    async fn settle(&self, image: &Remembered, judged: bool) {
        let (store, key) = (&self.app.store, &self.key.id);
        let settled = match (judged, image.state) {
            (true, ImageState::Seen) => store.renew_image(key, &image.image, image.until).await,
            (false, ImageState::New) => store.forget_image(key, &image.image, image.until).await,
            _ => Ok(()),
        };
        if let Err(error) = settled {
            self.app.metrics.store_failed();
            tracing::error!(%error, judged, "an image's memory could not be settled");
        }
    }

    /// Takes a use, judges, writes the audit log, and gives the use back when there was no judgement.
    async fn judge_counted(
        &self,
        decoded: Decoded,
        client: &mut oneshot::Sender<Result<Judged, ApiError>>,
    ) -> Result<Verdict, ApiError> {
        self.take_use().await?;
        let Decoded {
            photo,
            memory,
            image,
        } = decoded;
        let judge = Arc::clone(&self.app.judge);
        let explain = self.explain;
        let thresholds = self.thresholds;
        let job = self.app.pool.run(&self.ticket, Lane::Begun, move || {
            // No more photos are being judged than there are threads: that needs no counting.
            drop(memory);
            (judged(judge.as_ref(), &photo, &thresholds, explain), photo)
        });
        let answer = match self.wait(job, client.closed()).await {
            Ok((judged, findings)) => {
                let recorded = match &judged {
                    // That is no judgement.
                    Err(Rejection::Internal(_)) => Ok(()),
                    judged => self.audit(judged.as_ref(), image).await,
                };
                recorded.and_then(|()| answer(&self.app, judged, findings))
            }
            Err(failed) => Err(self.explain(&failed)),
        };
        let unjudged = answer
            .as_ref()
            .is_err_and(|error| error.code() == ErrorCode::Internal);
        if let (true, Some(token)) = (unjudged, &self.session)
            && let Err(error) = self.app.store.return_use(token, &self.key.id).await
        {
            self.app.metrics.store_failed();
            tracing::error!(%error, "a use of a session was taken for an image that was not judged");
        }
        answer
    }

    /// Takes a use of the session, if the request has one.
    async fn take_use(&self) -> Result<(), ApiError> {
        let Some(token) = &self.session else {
            return Ok(());
        };
        let state = self
            .app
            .store
            .take_use(token, &self.key.id, self.app.clock.now())
            .await
            .inspect_err(|_| self.app.metrics.store_failed())?;
        auth::usable(&self.app, state)
    }

    /// The answer that a sandbox key asks for, once the image was read.
    pub(crate) async fn pretend(
        &self,
        file: Vec<u8>,
        memory: Reserved,
        scenario: Scenario,
        details: bool,
    ) -> Result<Pretended, ApiError> {
        let judge = Arc::clone(&self.app.judge);
        let file = WipedFile(file);
        let job = self.app.pool.run(&self.ticket, Lane::Fresh, move || {
            (judge.inspect(&file.0), (file, memory))
        });
        let image = self.wait(job, std::future::pending()).await;
        let image = image.map_err(|failed| self.explain(&failed))??;
        if scenario.is_counted() {
            self.take_use().await?;
        }
        Ok(Pretended {
            score: scenario.score(&self.thresholds)?,
            live: scenario == Scenario::Live,
            review: scenario == Scenario::Review,
            details: details
                .then(|| sandbox::details(self.app.judge.as_ref(), image, self.thresholds)),
        })
    }

    /// Writes the image's line, if there is an audit log.
    async fn audit(
        &self,
        judged: Result<&Verdict, &Rejection>,
        image: Option<ImageMac>,
    ) -> Result<(), ApiError> {
        let (Some(audit), Some(image)) = (&self.app.audit, image) else {
            return Ok(());
        };
        let Some(key) = self.image_key().await? else {
            return Ok(());
        };
        let id = self.request_id.as_ref().map_or("", RequestId::as_str);
        let models = self.app.judge.models();
        let line = Line::new(id, &self.key.id, judged, models, (key, &image));
        audit
            .record(&line, self.app.clock.now(), &self.app.metrics)
            .await
            .map_err(|error| {
                tracing::error!(%error, "a verdict was withheld");
                ApiError::unavailable(
                    "the verdict could not be recorded, so it is withheld: try again shortly",
                )
            })
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
                ApiError::unavailable("the request was abandoned before the image was judged")
            }
            Failed::Job(JobError::Panicked) => {
                self.app.metrics.panicked();
                tracing::error!("judging panicked");
                ApiError::internal()
            }
        }
    }
}
