//! What is sent, and the only answers that are true to it.

use std::{collections::HashSet, sync::Arc};

use anyhow::{Result, bail};
use livecheck_testing::{drawn, real};
use serde::Deserialize;

use super::{
    client::{Answer, Connection},
    target::Target,
};

/// Photos of real faces that are sent when there are any.
const PHOTOS: usize = 20;

/// Side of the drawn picture that is sent otherwise, pixels.
const DRAWN_SIDE: u32 = 640;

/// Of so many requests one of each kind is wrong.
const WRONG_EVERY: u32 = 20;

/// A request and its answer.
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) code: String,
    /// Whether a photo is judged for it: only these count as accepted.
    pub(crate) judged: bool,
}

impl Request {
    /// Whether an answer is true to the request.
    pub(crate) fn fits(&self, answer: &Answer) -> bool {
        (answer.status, &answer.code) == (self.status, &self.code)
    }
}

/// Whether the server says that it has too much to do.
pub(crate) fn is_refusal(answer: &Answer) -> bool {
    answer.status == 503 && answer.code == "005" && answer.retry_after
}

/// The requests, to be sent in turn.
pub(crate) struct Requests {
    pub(crate) photos: Vec<Arc<Request>>,
    wrong: Vec<Arc<Request>>,
    /// What the photos are.
    pub(crate) source: String,
}

impl Requests {
    /// Makes the requests, and asks the idle server what the answer to each photo is.
    pub(crate) async fn new(target: &Target) -> Result<Self> {
        let (source, files) = photos();
        let mut photos = Vec::new();
        for (name, file) in files {
            let bytes = post(target, &target.key, &file);
            let connection = Connection::open(target.address).await?;
            let (answer, _) = connection.exchange(&bytes).await?;
            if !matches!(answer.status, 200 | 422) {
                bail!("{name} gets {answer:?} from the idle server");
            }
            photos.push(Arc::new(Request {
                name,
                bytes,
                status: answer.status,
                code: answer.code,
                judged: true,
            }));
        }
        let photo = drawn::jpeg(400, 400);
        let wrong = [
            ("a wrong key", post(target, "lck_wrong", &photo), 401, "001"),
            (
                "half a photo",
                post(target, &target.key, &photo[..photo.len() / 2]),
                400,
                "002",
            ),
            ("no photo", post(target, &target.key, b""), 400, "004"),
            (
                "no such path",
                b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
                404,
                "004",
            ),
        ];
        let wrong = wrong.map(|(name, bytes, status, code)| {
            Arc::new(Request {
                name: name.to_owned(),
                bytes,
                status,
                code: code.to_owned(),
                judged: false,
            })
        });
        Ok(Self {
            photos,
            wrong: wrong.into(),
            source,
        })
    }

    /// The request of a number: mostly photos, and each kind of wrong request now and then.
    pub(crate) fn get(&self, number: usize) -> Arc<Request> {
        let wrong = self.wrong.get(number % WRONG_EVERY as usize);
        Arc::clone(wrong.unwrap_or_else(|| self.photo(number)))
    }

    /// Requests for each photo among them.
    pub(crate) fn per_photo(&self) -> f64 {
        let wrong = u32::try_from(self.wrong.len()).unwrap_or(u32::MAX);
        let every = f64::from(WRONG_EVERY);
        every / (every - f64::from(wrong))
    }

    /// The photo of a number.
    pub(crate) fn photo(&self, number: usize) -> &Arc<Request> {
        &self.photos[number % self.photos.len()]
    }
}

/// Real faces where there are any, else a drawn one; and what they are, in words.
fn photos() -> (String, Vec<(String, Vec<u8>)>) {
    #[derive(Deserialize)]
    struct Row {
        image: String,
        width: u32,
        height: u32,
        /// Width of the face box; rows of images without a face have none.
        w: Option<f32>,
        label: String,
    }
    let Some(folder) = real::folder("photos of real faces in the load") else {
        let jpeg = drawn::jpeg_of(&drawn::face(DRAWN_SIDE, DRAWN_SIDE), false);
        let source = format!("a drawn face of {DRAWN_SIDE}x{DRAWN_SIDE} pixels");
        return (source, vec![("a drawn face".to_owned(), jpeg)]);
    };
    let wanted: HashSet<String> = real::rows::<Row>(&folder, "faces")
        .into_iter()
        .filter(|row| row.width.min(row.height) >= 400 && row.w.is_some_and(|w| w >= 150.0))
        .filter(|row| row.label == "without_mask")
        .map(|row| row.image)
        .take(PHOTOS)
        .collect();
    let mut photos: Vec<_> = real::images(&folder, "faces", &wanted)
        .into_iter()
        .collect();
    photos.sort();
    let bytes: usize = photos.iter().map(|(_, file)| file.len()).sum();
    let source = format!(
        "{} photos of faces.tar, {} KiB on average",
        photos.len(),
        bytes / photos.len() / 1024
    );
    (source, photos)
}

/// A request with a file part.
fn post(target: &Target, key: &str, file: &[u8]) -> Vec<u8> {
    const BOUNDARY: &str = "livecheck-load-boundary";
    let part = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"selfie\"\r\n\r\n"
    );
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    let head = format!(
        "POST /liveness/ HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        target.address,
        part.len() + file.len() + end.len()
    );
    [head.as_bytes(), part.as_bytes(), file, end.as_bytes()].concat()
}
