//! The audit log, off unless `audit_file` is set: one JSON line for each image that was judged, so
//! that a later dispute about one can be settled. It holds no image, no key, no token, no address.
//!
//! One thread writes. It takes whatever lines wait, writes them, and calls the answers free once
//! they are on the disk (`fdatasync`): many requests share one wait for the disk. The file is only
//! ever appended to; when it is full it is renamed (`parts.rs`) and a new one is begun.
//!
//! Each line has a number, a time, an id made here, and a value that ties it to the line before
//! (`chain.rs`), so that `verify.rs` finds what was changed since. What others do to the file while it
//! is written is logged and counted.

mod chain;
mod parts;
mod verify;

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use livecheck_engine::{ModelInfo, Rejection, Verdict};
use livecheck_store::{ImageKey, ImageMac, KeyId, Timestamp};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::config::{AuditConfig, AuditFailure};
use crate::http::request_id::random_id;
use crate::observability::metrics::{AuditLines, Metrics};

use chain::{Chain, Link};
use parts::{folder, part, parts};

pub use verify::{AuditReport, verify};

/// Bytes at the end of a log in which its last line is looked for.
const LAST_LINES: u64 = 256 * 1024;

/// Lines that may wait for the writer, about 900 bytes each.
const WAITING: usize = 1024;

/// How long an answer waits for its line before it counts as not written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a judgement could not be recorded.
#[derive(Debug, Clone, Error)]
pub(crate) enum AuditError {
    #[error("{0}")]
    Failed(String),
    #[error("the line was not written to the audit log within {} seconds", PATIENCE.as_secs())]
    TooSlow,
}

/// What the log says of one image. Nothing else may be added: see docs/operate/PRIVACY.md.
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
    #[serde(skip)]
    secret: &'a ImageKey,
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
        image: (&'a ImageKey, &ImageMac),
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
                (rejection.code(), scores)
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
            secret: image.0,
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
    /// `None` only asks whether all before it are written.
    entry: Option<Entry>,
    written: oneshot::Sender<Result<(), AuditError>>,
}

/// A line that waits for its number and its place in the chain.
struct Entry {
    at: Timestamp,
    /// The fields of [`Line`] as a JSON object.
    fields: String,
    chain: Chain,
}

impl Entry {
    /// The line behind another.
    fn after(&self, last: Option<&Link>) -> (String, Link) {
        let seq = last.map_or(0, |link| link.seq) + 1;
        let previous = last.map_or("", |link| &*link.chain);
        let millis = u64::try_from(self.at.as_millis()).unwrap_or_default();
        let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis));
        let id = random_id();
        let id = id.to_str().unwrap_or_default();
        let fields = self
            .fields
            .strip_prefix('{')
            .and_then(|fields| fields.strip_suffix('}'));
        let fields = fields.unwrap_or_default();
        let covered = format!("{{\"seq\":{seq},\"time\":\"{time}\",\"id\":\"{id}\",{fields}");
        let chain = self.chain.value(previous, &covered);
        let line = format!("{covered}{}{chain}\"}}\n", chain::FIELD);
        (line, Link { seq, chain })
    }
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
        let mut file = AuditFile::open(path, config, metrics.audit())?;
        if let Some(last) = &file.last {
            tracing::info!(seq = last.seq, "the audit log continues after this line");
        }
        let (lines, mut waiting) = mpsc::channel::<Waiting>(WAITING);
        let counted = metrics.audit();
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let mut batch = Vec::new();
                while waiting.blocking_recv_many(&mut batch, WAITING) > 0 {
                    let outcome = file.append(batch.iter().filter_map(|waiting| waiting.entry.as_ref()));
                    if let Err(error) = &outcome {
                        tracing::error!(%error, lines = batch.len(), "the audit log could not be written");
                    }
                    for waiting in batch.drain(..) {
                        if waiting.entry.is_some() {
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
        at: Timestamp,
        metrics: &Metrics,
    ) -> Result<(), AuditError> {
        let fields = serde_json::to_string(line)
            .map_err(|error| AuditError::Failed(format!("a line could not be made: {error}")))?;
        let (written, told) = oneshot::channel();
        let entry = Entry {
            at,
            fields,
            chain: Chain::new(line.secret),
        };
        let waiting = Waiting {
            entry: Some(entry),
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
            entry: None,
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
    /// The last line that was written, in whichever file.
    last: Option<Link>,
    /// The mode of the file when it was looked at last.
    mode: u32,
    counted: AuditLines,
}

impl AuditFile {
    fn open(path: &Path, config: &AuditConfig, counted: AuditLines) -> io::Result<Self> {
        let file = open_private(path)?;
        let (bytes, mode) = (file.metadata()?.len(), mode(&file)?);
        let mut opened = Self {
            path: path.to_owned(),
            file,
            bytes,
            most_bytes: config.audit_max_bytes,
            keep: config.audit_keep,
            whole: true,
            last: None,
            mode,
            counted,
        };
        opened.find_end()?;
        // A file that was just begun goes on behind the newest that was rotated.
        if opened.bytes == 0
            && let Some((_, newest)) = parts(path)?.pop_last()
        {
            opened.last = last_line(&mut File::open(newest)?)?.1;
        }
        Ok(opened)
    }

    /// Looks whether the last line is whole, and what the next is tied to.
    fn find_end(&mut self) -> io::Result<()> {
        let (whole, last) = last_line(&mut self.file)?;
        self.whole = whole;
        self.last = last.or(self.last.take());
        Ok(())
    }

    /// Appends the lines and waits for the disk.
    fn append<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> io::Result<()> {
        self.look_after_it()?;
        for entry in entries {
            let (line, link) = entry.after(self.last.as_ref());
            if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.most_bytes {
                self.rotate()?;
            }
            if !self.whole {
                self.write(b"\n")?;
            }
            self.write(line.as_bytes())?;
            self.last = Some(link);
        }
        self.file.sync_data()
    }

    /// Notices, says and counts what others did to the file since it was written last.
    fn look_after_it(&mut self) -> io::Result<()> {
        let own = self.file.metadata()?;
        if !own.is_file() {
            return Ok(());
        }
        let there = std::fs::symlink_metadata(&self.path);
        if !there.is_ok_and(|there| same_file(&own, &there)) {
            self.changed(
                "the audit log was moved, deleted or replaced: it continues in a new file",
            );
            // The chain goes on: what is missing shows.
            self.file = open_private(&self.path)?;
            self.bytes = self.file.metadata()?.len();
            self.mode = mode(&self.file)?;
            self.whole = last_line(&mut self.file)?.0;
            return Ok(());
        }
        if own.len() != self.bytes {
            self.changed("the audit log was truncated or written to by another process");
            self.bytes = own.len();
            self.whole = last_line(&mut self.file)?.0;
        }
        let mode = mode(&self.file)?;
        if mode & !self.mode != 0 {
            self.changed("the audit log was opened to other users: its mode has changed");
        }
        self.mode = mode;
        Ok(())
    }

    fn changed(&self, what: &str) {
        self.counted.file_changed();
        tracing::error!(path = %self.path.display(), "{what}");
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
        let newest = parts(&self.path)?
            .pop_last()
            .map_or(0, |(number, _)| number);
        let rotated = part(&self.path, newest + 1);
        std::fs::rename(&self.path, &rotated)?;
        match open_private(&self.path) {
            Ok(file) => {
                self.file = file;
                self.bytes = 0;
                self.mode = mode(&self.file)?;
                self.whole = true;
            }
            Err(error) => {
                std::fs::rename(&rotated, &self.path)?;
                return Err(error);
            }
        }
        // The names are on the disk before anything is dropped.
        File::open(folder(&self.path))?.sync_all()?;
        if self.keep > 0 {
            let mut rotated = parts(&self.path)?;
            while rotated.len() > self.keep as usize {
                if let Some((_, oldest)) = rotated.pop_first() {
                    std::fs::remove_file(oldest)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a log ends with a whole line, and its last line that is one of ours.
fn last_line(file: &mut File) -> io::Result<(bool, Option<Link>)> {
    let length = file.metadata()?;
    if !length.is_file() || length.len() == 0 {
        return Ok((true, None));
    }
    let from = length.len().saturating_sub(LAST_LINES);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LAST_LINES).read_to_end(&mut end)?;
    let whole = end.ends_with(b"\n");
    let last = end.split(|byte| *byte == b'\n').rev().find_map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        Some(Link {
            seq: line["seq"].as_u64()?,
            chain: line["chain"].as_str()?.to_owned(),
        })
    });
    Ok((whole, last))
}

#[cfg(unix)]
fn same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same_file(_: &Metadata, other: &Metadata) -> bool {
    other.is_file()
}

/// The rights that others than the owner have.
#[cfg(unix)]
fn mode(file: &File) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.mode() & 0o077)
}

#[cfg(not(unix))]
fn mode(_: &File) -> io::Result<u32> {
    Ok(0)
}

/// For appending, readable by its owner alone, and by one process at a time; no link to a file
/// elsewhere, and none that others can write to.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        options.custom_flags(i32::try_from(flags).unwrap_or_default());
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            return Err(io::Error::other(
                "it is a symbolic link, which could be pointed elsewhere: name the file itself",
            ));
        }
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        // A pipe or a device is not ours alone.
        return Ok(file);
    }
    if mode(&file)? & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "other users can write to it: `chmod go-w {}`",
            path.display()
        )));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(
            "another process writes it: each server needs its own audit log",
        )),
        // Some network file systems have no locks; one writer is then the operator's to see to.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
