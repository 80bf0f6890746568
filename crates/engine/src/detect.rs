//! Frame → faces: the `face-detector` net proposes, the `face-refiner` net looks at doubtful ones again,
//! and non-maximum suppression leaves one box a face.

use crate::{
    crop,
    error::{EngineError, Rejection},
    face::{BBox, Face},
    inference::{self, Network, Runtime},
    photo::Photo,
    refine::FaceRefiner,
};

/// How candidates become faces.
#[derive(Debug, Clone, Copy)]
struct Params {
    /// Candidates below are dropped before suppression. Far below any useful threshold, so that a
    /// refusal can still name the best score that it saw.
    min_score: f32,
    /// Of two candidates that overlap by more, the lower one is dropped. The value of the
    /// training evaluation.
    max_iou: f32,
    /// Of two faces one of which lies in the other by more, the lower one is dropped: a mask or a
    /// forehead with a box of its own is the same face. Nobody stands in half of another's face.
    max_containment: f32,
    /// Most candidates that suppression looks at, best first: bounds its time on noise.
    max_candidates: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            min_score: 0.20,
            max_iou: 0.40,
            max_containment: 0.50,
            max_candidates: 500,
        }
    }
}

/// Finds the faces of a photo.
pub(crate) struct FaceDetector {
    network: Box<dyn Network>,
    refiner: FaceRefiner,
    params: Params,
}

impl FaceDetector {
    /// Both nets with their names, for the self-test.
    pub(crate) fn networks(&self) -> [(&'static str, &dyn Network); 2] {
        [
            (inference::FACE_DETECTOR.name, self.network.as_ref()),
            (inference::FACE_REFINER.name, self.refiner.network()),
        ]
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        Ok(Self {
            network: runtime.load_model(&inference::FACE_DETECTOR)?,
            refiner: FaceRefiner::load(runtime)?,
            params: Params::default(),
        })
    }

    /// Every face with a score of at least 0.20, best first.
    pub(crate) fn detect(&self, photo: &Photo) -> Result<Vec<Face>, Rejection> {
        let mut faces = self.propose(&crop::letterbox(photo)?)?;
        self.refiner.refine(photo, &mut faces)?;
        Ok(self.one_each(faces))
    }

    /// See [`FaceRefiner::roll`].
    pub(crate) fn roll(&self, photo: &Photo, face: &Face) -> Result<f32, Rejection> {
        self.refiner.roll(photo, face)
    }

    /// Refined faces without a second box of the same face. Not asked of the proposals: the refiner
    /// may change which of two nested boxes is the better one.
    fn one_each(&self, faces: Vec<Face>) -> Vec<Face> {
        self.separate(faces, |one, other| {
            one.iou(other) > self.params.max_iou
                || one.containment(other) > self.params.max_containment
        })
    }

    /// Sane faces that reach the least score and are not the same as a better one, best first.
    fn separate(&self, mut faces: Vec<Face>, same: impl Fn(&BBox, &BBox) -> bool) -> Vec<Face> {
        faces.retain(|face| face.score >= self.params.min_score && face.is_sane());
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        faces.truncate(self.params.max_candidates);
        suppress(&faces, same)
    }

    /// What the detector alone sees.
    fn propose(&self, canvas: &crop::Letterbox) -> Result<Vec<Face>, Rejection> {
        let outputs = self
            .network
            .run(&canvas.rgb, canvas.size)
            .map_err(Rejection::Internal)?;
        let [scores, boxes, landmarks] = outputs.as_slice() else {
            return Err(Rejection::Internal(format!(
                "the face detector has {} outputs, not 3",
                outputs.len()
            )));
        };
        let candidates = scores
            .iter()
            .zip(boxes.chunks_exact(4))
            .zip(landmarks.chunks_exact(10))
            .filter(|((score, _), _)| **score >= self.params.min_score)
            .map(|((score, corners), points)| candidate(*score, corners, points, canvas.scales))
            .collect();
        Ok(self.separate(candidates, |one, other| {
            one.iou(other) > self.params.max_iou
        }))
    }
}

/// One row of the net's outputs, in pixels of the photo.
fn candidate(score: f32, corners: &[f32], points: &[f32], [sx, sy]: [f32; 2]) -> Face {
    let mut landmarks = [[0.0; 2]; 5];
    for (landmark, point) in landmarks.iter_mut().zip(points.chunks_exact(2)) {
        *landmark = [point[0] / sx, point[1] / sy];
    }
    Face {
        bbox: BBox {
            x0: corners[0] / sx,
            y0: corners[1] / sy,
            x1: corners[2] / sx,
            y1: corners[3] / sy,
        },
        landmarks,
        score,
    }
}

/// Greedy non-maximum suppression of candidates that come best first.
fn suppress(candidates: &[Face], same: impl Fn(&BBox, &BBox) -> bool) -> Vec<Face> {
    let mut faces: Vec<Face> = Vec::new();
    for candidate in candidates {
        if faces.iter().all(|face| !same(&face.bbox, &candidate.bbox)) {
            faces.push(*candidate);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use livecheck_image::{FileLimits, decode};
    use livecheck_testing::{drawn, portrait::portrait, real};

    use super::*;
    use crate::inference::{CANVAS_SIDE, InputSize};

    /// Real photos whose faces are compared.
    const COMPARED: usize = 150;

    /// The photo as the net saw it in training: in the full square.
    fn in_the_square(canvas: &crop::Letterbox) -> Vec<u8> {
        let side = CANVAS_SIDE as usize;
        let mut square = vec![0; side * side * 3];
        let row = canvas.size.width as usize * 3;
        for (to, from) in square
            .chunks_exact_mut(side * 3)
            .zip(canvas.rgb.chunks_exact(row))
        {
            to[..row].copy_from_slice(from);
        }
        square
    }

    #[test]
    fn a_box_in_another_is_the_same_face_and_a_neighbour_is_not() {
        let bbox = |x0, y0, x1, y1| BBox { x0, y0, x1, y1 };
        let head = bbox(0.0, 0.0, 100.0, 120.0);
        for (name, other, containment) in [
            ("a mask in it", bbox(20.0, 60.0, 80.0, 118.0), 1.0),
            ("lower by half", bbox(0.0, 60.0, 100.0, 180.0), 0.5),
            ("cheek to cheek", bbox(80.0, 0.0, 180.0, 120.0), 0.2),
            ("apart", bbox(100.0, 0.0, 200.0, 120.0), 0.0),
            ("across a corner", bbox(150.0, 150.0, 250.0, 250.0), 0.0),
        ] {
            assert!(
                (head.containment(&other) - containment).abs() < 1e-6,
                "{name}"
            );
            assert!(head.iou(&other) <= head.containment(&other), "{name}");
        }
        let face = |bbox, score| Face {
            bbox,
            landmarks: [[0.0; 2]; 5],
            score,
        };
        let detector = FaceDetector::load(&Runtime::embedded()).expect("the detector");
        let (mask, neighbour) = (bbox(20.0, 60.0, 80.0, 118.0), bbox(80.0, 0.0, 180.0, 120.0));
        let found = [face(head, 0.95), face(mask, 0.85), face(neighbour, 0.80)];
        assert_eq!(detector.one_each(found.into()), [found[0], found[2]]);
    }

    #[test]
    fn a_shorter_input_finds_what_the_full_square_finds() {
        let mut files: Vec<Vec<u8>> = [(1280, 720), (480, 640)]
            .map(|(width, height)| drawn::jpeg_of(&portrait(width, height), false))
            .into();
        if let Some(folder) = real::folder("shorter inputs of the detector on real photos") {
            let photos = real::spread(&folder, "faces", COMPARED, |_| true);
            files.extend(photos.into_iter().map(|(_, file)| file));
        }
        let detector = FaceDetector::load(&Runtime::embedded()).expect("the detector");
        let (mut shorter, mut scores, mut boxes) = (0, Vec::new(), Vec::new());
        for file in &files {
            let photo: Photo = decode(file, &FileLimits::default())
                .expect("a photo")
                .into();
            let canvas = crop::letterbox(&photo).expect("a crop");
            if canvas.size == InputSize::square(CANVAS_SIDE) {
                continue;
            }
            shorter += 1;
            let found = detector.propose(&canvas).expect("an answer");
            let square = crop::Letterbox {
                rgb: in_the_square(&canvas),
                size: InputSize::square(CANVAS_SIDE),
                scales: canvas.scales,
            };
            for face in detector.propose(&square).expect("an answer") {
                if face.score < 0.5 {
                    continue;
                }
                let same = found
                    .iter()
                    .max_by(|a, b| a.bbox.iou(&face.bbox).total_cmp(&b.bbox.iou(&face.bbox)))
                    .expect("a face");
                scores.push((same.score - face.score).abs());
                boxes.push(1.0 - same.bbox.iou(&face.bbox));
            }
        }
        assert!(
            shorter >= 2 && scores.len() >= 2,
            "{shorter} shorter inputs with {} faces",
            scores.len()
        );
        // Far fewer than one in a hundred are small faces of a crowd, of which two become one.
        for (what, mut off, bounds) in [
            ("score", scores, [(95, 0.01), (99, 0.05)]),
            ("1 - IoU", boxes, [(95, 0.03), (99, 0.10)]),
        ] {
            off.sort_by(f32::total_cmp);
            for (percent, bound) in bounds {
                let actual = off[(off.len() * percent).div_ceil(100) - 1];
                println!("{what}: {percent} % of {} faces within {actual}", off.len());
                assert!(actual <= bound, "{what} of {percent} %: {actual}");
            }
        }
    }
}
