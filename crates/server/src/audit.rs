//! The audit log, off unless `audit_file` is set: one JSON line for each image that was judged, so
//! that a later dispute about one can be settled. It holds no image, no key, no token, no address.
//!
//! One thread writes. It takes whatever lines wait, writes them, and calls the answers free once
//! they are on the disk (`fdatasync`): many requests share one wait for the disk. The file is only
//! ever appended to; when it is full it is renamed `FILE.1`, `FILE.2` and so on (the highest is the
//! newest) and a new one is begun.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use livecheck_engine::{ModelInfo, Rejection, Verdict};
use livecheck_store::{ImageKey, ImageMac, KeyId};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::config::{AuditConfig, AuditFailure};
use crate::metrics::Metrics;

/// Lines that may wait for the writer, about 700 bytes each.
const WAITING: usize = 1024;

/// How long an answer waits for its line before it counts as not written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a judgement could not be recorded.
#[derive(Debug, Clone, Error)]
pub(crate) enum AuditError {
    #[error("{0}")]
    Failed(String),
    #[error("the audit log did not take the line within {} seconds", PATIENCE.as_secs())]
    TooSlow,
}

/// What the log says of one image. Nothing else may be added: see docs/PRIVACY.md.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    request_id: &'a str,
    key_id: &'a str,
    /// `live`, `review`, `attack`, or the code of the refusal.
    verdict: &'static str,
    scores: Scores<'a>,
    models: BTreeMap<&'static str, &'static str>,
    /// Fingerprint of the secret, colon, HMAC-SHA256 of the file.
    image_hmac: String,
}

/// Those that were computed before the image was judged or refused.
#[derive(Debug, Default, Serialize)]
struct Scores<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    liveness: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attack: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    face: Option<f32>,
    #[serde(skip_serializing_if = "<[f32]>::is_empty")]
    faces: &'a [f32],
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        request_id: &'a str,
        key: &'a KeyId,
        judged: Result<&'a Verdict, &'a Rejection>,
        models: &'static [ModelInfo],
        image: (&ImageKey, &ImageMac),
    ) -> Self {
        let (verdict, scores) = match judged {
            Ok(verdict) => (
                if verdict.live {
                    "live"
                } else if verdict.details.thresholds.needs_review(verdict.score) {
                    "review"
                } else {
                    "attack"
                },
                Scores {
                    liveness: Some(verdict.score),
                    attack: Some(verdict.details.attack_score),
                    mask: Some(verdict.details.mask_score),
                    face: Some(verdict.details.face.score),
                    faces: &[],
                },
            ),
            Err(rejection) => {
                let scores = match rejection {
                    Rejection::FaceCount { scores, .. } => Scores {
                        faces: scores,
                        ..Scores::default()
                    },
                    Rejection::FaceMask { score, .. } => Scores {
                        mask: Some(*score),
                        ..Scores::default()
                    },
                    _ => Scores::default(),
                };
                (rejection.code().code(), scores)
            }
        };
        Self {
            request_id,
            key_id: key.as_str(),
            verdict,
            scores,
            models: models
                .iter()
                .map(|model| (model.name, model.sha256))
                .collect(),
            image_hmac: shown(image.0, image.1),
        }
    }
}

/// How the log names an image: the fingerprint of the secret, a colon, the hash of the file.
#[must_use]
pub fn shown(key: &ImageKey, image: &ImageMac) -> String {
    format!("{}:{image}", key.fingerprint())
}

/// The way to the writer.
pub(crate) struct Audit {
    lines: mpsc::Sender<Waiting>,
    on_failure: AuditFailure,
}

struct Waiting {
    line: Vec<u8>,
    written: oneshot::Sender<Result<(), AuditError>>,
}

impl Audit {
    /// Opens the file and starts the writer; `None` when there is to be no log.
    ///
    /// # Errors
    /// A file that cannot be written, or that another process writes.
    pub(crate) fn start(config: &AuditConfig, metrics: &Metrics) -> io::Result<Option<Self>> {
        let Some(path) = &config.audit_file else {
            return Ok(None);
        };
        let mut file = AuditFile::open(path, config.audit_max_bytes, config.audit_keep)?;
        let (lines, mut waiting) = mpsc::channel::<Waiting>(WAITING);
        let counted = metrics.audit();
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let mut batch = Vec::new();
                while waiting.blocking_recv_many(&mut batch, WAITING) > 0 {
                    let outcome = file.append(batch.iter().map(|waiting| &*waiting.line));
                    if let Err(error) = &outcome {
                        tracing::error!(%error, lines = batch.len(), "the audit log could not be written");
                    }
                    for waiting in batch.drain(..) {
                        // An empty line only asks whether all before it are written.
                        if !waiting.line.is_empty() {
                            counted.line(outcome.is_ok());
                        }
                        let outcome = match &outcome {
                            Ok(()) => Ok(()),
                            Err(error) => Err(AuditError::Failed(error.to_string())),
                        };
                        // Who does not wait for it needs no word.
                        drop(waiting.written.send(outcome));
                    }
                }
            })?;
        Ok(Some(Self {
            lines,
            on_failure: config.audit_failure,
        }))
    }

    /// Writes the line, or hands it to the writer and goes on, as the setting says.
    ///
    /// # Errors
    /// With `refuse` only: the line is not on the disk.
    pub(crate) async fn record(
        &self,
        line: &Line<'_>,
        metrics: &Metrics,
    ) -> Result<(), AuditError> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| AuditError::Failed(format!("a line could not be made: {error}")))?;
        text.push(b'\n');
        let (written, told) = oneshot::channel();
        let waiting = Waiting {
            line: text,
            written,
        };
        match self.on_failure {
            AuditFailure::Continue => {
                if self.lines.try_send(waiting).is_err() {
                    metrics.audit().line(false);
                }
                Ok(())
            }
            AuditFailure::Refuse => tokio::time::timeout(PATIENCE, self.hand_over(waiting, told))
                .await
                .unwrap_or(Err(AuditError::TooSlow)),
        }
    }

    /// Waits until every line that was handed over is written, or cannot be.
    pub(crate) async fn flush(&self) {
        let (written, told) = oneshot::channel();
        let nothing = Waiting {
            line: Vec::new(),
            written,
        };
        let flushed = tokio::time::timeout(PATIENCE, self.hand_over(nothing, told)).await;
        if flushed.is_err() {
            tracing::error!("the audit log's last lines may be missing");
        }
    }

    async fn hand_over(
        &self,
        waiting: Waiting,
        told: oneshot::Receiver<Result<(), AuditError>>,
    ) -> Result<(), AuditError> {
        let gone = || AuditError::Failed("the audit log's writer has ended".to_owned());
        self.lines.send(waiting).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

/// The file, and those it was before.
struct AuditFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    most_bytes: u64,
    /// Rotated files that are kept; 0: all.
    keep: u32,
    /// Whether the last line is whole, as far as is known.
    whole: bool,
}

impl AuditFile {
    fn open(path: &Path, most_bytes: u64, keep: u32) -> io::Result<Self> {
        let mut file = open_private(path)?;
        let bytes = file.metadata()?.len();
        // A process that was killed may have left half a line.
        let mut whole = true;
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            whole = last == *b"\n";
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            most_bytes,
            keep,
            whole,
        })
    }

    /// Appends the lines and waits for the disk.
    fn append<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        for line in lines.filter(|line| !line.is_empty()) {
            if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.most_bytes {
                self.rotate()?;
            }
            if !self.whole {
                self.write(b"\n")?;
            }
            self.write(line)?;
        }
        self.file.sync_data()
    }

    /// All of it, or an error and a line that is not whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.whole = false;
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing of it was written, so nothing is half.
                Err(error) => {
                    self.whole = rest.len() == bytes.len() && bytes != b"\n";
                    return Err(error);
                }
            };
            self.bytes += count as u64;
            rest = &rest[count..];
        }
        self.whole = true;
        Ok(())
    }

    /// Gives the file its number and begins another. A failure leaves the file as it is.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let newest = self.rotated()?.pop_last().map_or(0, |(number, _)| number);
        let rotated = self.numbered(newest + 1);
        std::fs::rename(&self.path, &rotated)?;
        match open_private(&self.path) {
            Ok(file) => {
                self.file = file;
                self.bytes = 0;
                self.whole = true;
            }
            Err(error) => {
                std::fs::rename(&rotated, &self.path)?;
                return Err(error);
            }
        }
        // The names are on the disk before anything is dropped.
        if let Some(folder) = self.path.parent().filter(|folder| folder.is_dir()) {
            File::open(folder)?.sync_all()?;
        }
        if self.keep > 0 {
            let mut rotated = self.rotated()?;
            while rotated.len() > self.keep as usize {
                if let Some((_, oldest)) = rotated.pop_first() {
                    std::fs::remove_file(oldest)?;
                }
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    /// The rotated files by their numbers.
    fn rotated(&self) -> io::Result<BTreeMap<u64, PathBuf>> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let own = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(&*own)?.strip_prefix('.')?.parse().ok());
            if let Some(number) = number {
                found.insert(number, folder.join(name));
            }
        }
        Ok(found)
    }
}

/// For appending, readable by its owner alone, and by one process at a time.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        // A pipe or a device is not ours alone.
        return Ok(file);
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(
            "another process writes it: every server needs an audit log of its own",
        )),
        // Some network file systems have no locks; one writer is then the operator's to see to.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
