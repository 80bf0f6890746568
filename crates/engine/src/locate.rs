//! File → photo → faces. A large JPEG is read once and rendered twice: small to find the face, larger
//! around it. A photo whose face is not upright is turned.

use livecheck_image::{ScaledJpeg, content, decode};

use crate::{
    detect::FaceDetector,
    error::Rejection,
    face::Face,
    photo::Photo,
    policy::{Limits, Thresholds},
    scale,
    stopwatch::Stopwatch,
    verdict::Timings,
};

/// Least score of the face of a turned photo: three turns are three more chances to take something else for a
/// face.
const TURNED_FACE: f32 = 0.9;

/// A face with a score below may not be upright: of upside-down faces of webcams and portraits three in four are
/// taken for upright ones, nearly all with scores below this, and of upright ones one in fifty scores lower.
const DOUBTFUL_FACE: f32 = 0.9;

/// By how much the score of the face of a turned photo must be higher than that of the upright one.
const CLEARER: f32 = 0.02;

/// A photo whose faces were looked for: what [`Engine::judge`](crate::Engine::judge) judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The photo, turned where its face was not upright.
    pub photo: Photo,
    /// The faces with a score of at least 0.20, best first, in pixels of `photo.rgb`; none where the photo
    /// is too small to be judged.
    pub faces: Vec<Face>,
    /// How long that took: decoding, detection and the sum of both.
    pub timings: Timings,
}

impl Located {
    fn new(photo: Photo, faces: Vec<Face>, detect_ms: f32) -> Self {
        let timings = Timings::default();
        Self {
            photo,
            faces,
            timings,
        }
        .after(0.0, detect_ms)
    }

    /// After so many more milliseconds of decoding and of detection.
    fn after(mut self, decode_ms: f32, detect_ms: f32) -> Self {
        self.timings.decode_ms += decode_ms;
        self.timings.detect_ms += detect_ms;
        self.timings.total_ms = self.timings.decode_ms + self.timings.detect_ms;
        self
    }
}

/// Looks for faces.
#[derive(Clone, Copy)]
pub(crate) struct Locator<'a> {
    pub(crate) detector: &'a FaceDetector,
    pub(crate) limits: &'a Limits,
    pub(crate) thresholds: &'a Thresholds,
}

impl Locator<'_> {
    /// In a file, of which no more is made into pixels than judging needs.
    pub(crate) fn file(self, file: &[u8]) -> Result<Located, Rejection> {
        let mut watch = Stopwatch::start();
        let limits = self.limits.of_file();
        let Some(large) = ScaledJpeg::read(file, &limits, scale::LARGE_PIXELS)? else {
            return self.whole_file(file);
        };
        let search = scale::search_reduction(&large);
        let Some(small) = large.render(search, 0).map(Photo::from) else {
            return self.whole_file(file);
        };
        let decode_ms = watch.lap();
        let located = self.photo(small)?.after(decode_ms, 0.0);
        // Without a single face there is no verdict, and no need for more pixels.
        let Ok(face) = self.thresholds.check_face_count(&located.faces) else {
            return Ok(located);
        };
        let needed = scale::face_reduction(face.bbox.width() * search as f32, search);
        if needed == search {
            return Ok(located);
        }
        watch.lap();
        let scale = search as f32 / needed as f32;
        let bbox = face.scaled(scale).bbox;
        let Some(closer) = scale::around_face(&large, needed, &located.photo, &bbox) else {
            return self.whole_file(file);
        };
        let photo = Photo {
            content: located.photo.content,
            ..closer
        };
        let faces = located.faces.iter().map(|face| face.scaled(scale));
        let closer = Located {
            photo,
            faces: faces.collect(),
            timings: located.timings,
        };
        Ok(closer.after(watch.lap(), 0.0))
    }

    /// In a file, at its full size.
    pub(crate) fn whole_file(self, file: &[u8]) -> Result<Located, Rejection> {
        let watch = Stopwatch::start();
        let photo = Photo::from(decode(file, &self.limits.of_file())?);
        let decode_ms = watch.total();
        Ok(self.photo(photo)?.after(decode_ms, 0.0))
    }

    /// In a photo without its borders. It is turned when its face is not upright.
    pub(crate) fn photo(self, mut photo: Photo) -> Result<Located, Rejection> {
        let mut watch = Stopwatch::start();
        photo.content = content(photo.width, photo.height, &photo.rgb).enlarged(
            photo.reduction,
            (photo.width, photo.height),
            photo.full_size(),
        );
        let size = self.limits.check_image(photo.full_size(), &photo.content);
        if size.is_err() {
            // It is refused for that.
            return Ok(Located::new(photo, Vec::new(), 0.0));
        }
        let faces = self.faces(&photo)?;
        if let Some(score) = self.doubtful(&faces)
            && let Some(turned) = self.clearest_turned(&photo)?
            && turned.score > score + CLEARER
        {
            return Ok(Located::new(turned.photo, turned.faces, watch.lap()));
        }
        Ok(Located::new(photo, faces, watch.lap()))
    }

    /// The score of the only face that counts, if it may not be upright; 0 where none counts.
    fn doubtful(self, faces: &[Face]) -> Option<f32> {
        let counts = |face: &&Face| face.score >= self.thresholds.face;
        let mut counted = faces.iter().filter(counts);
        match (counted.next(), counted.next()) {
            (None, _) => Some(0.0),
            (Some(face), None) if face.score < DOUBTFUL_FACE => Some(face.score),
            _ => None,
        }
    }

    /// The faces of the photo without its border, in pixels of the photo.
    pub(crate) fn faces(self, photo: &Photo) -> Result<Vec<Face>, Rejection> {
        let content = photo.content_here();
        let faces = self.detector.detect(&photo.cut())?;
        Ok(faces
            .iter()
            .map(|face| face.moved(content.x0 as f32, content.y0 as f32))
            .collect())
    }

    /// The photo turned, when its face, taken for a masked one, is not upright: turned, it is seen more
    /// clearly. To the mask net a forehead is a mask.
    pub(crate) fn turned_upright(
        self,
        located: &Located,
        face: &Face,
    ) -> Result<Option<Located>, Rejection> {
        // With a lower score every clearer turn has been taken when the face was located.
        if located.photo.rotated != 0 || face.score < TURNED_FACE - CLEARER {
            return Ok(None);
        }
        let mut watch = Stopwatch::start();
        let turned = self.clearest_turned(&located.photo)?;
        Ok(turned
            .filter(|turned| turned.score > face.score)
            .map(|turned| {
                let upright = Located {
                    photo: turned.photo,
                    faces: turned.faces,
                    timings: located.timings,
                };
                upright.after(0.0, watch.lap())
            }))
    }

    /// The photo turned by 90°, 180° or 270° so that it has one face, as that is seen most clearly, for the
    /// detector sees many a face the other way round too. `None` where it has none, or several in one of them.
    fn clearest_turned(self, photo: &Photo) -> Result<Option<Turned>, Rejection> {
        let mut clearest: Option<Turned> = None;
        for quarters in 1..4 {
            let photo = photo.turned(quarters);
            let faces = self.faces(&photo)?;
            match self.thresholds.check_face_count(&faces) {
                Ok(Face { score, .. })
                    if score >= TURNED_FACE
                        && clearest.as_ref().is_none_or(|best| score > best.score) =>
                {
                    clearest = Some(Turned {
                        photo,
                        faces,
                        score,
                    });
                }
                Ok(_) => {}
                Err(Rejection::FaceCount { scores, .. }) if scores.is_empty() => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(clearest)
    }
}

/// A turned photo with the score of its one face.
struct Turned {
    photo: Photo,
    faces: Vec<Face>,
    score: f32,
}
