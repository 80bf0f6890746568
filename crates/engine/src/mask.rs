//! Face → covering score: the `face-mask` net on the aligned crop.

use crate::{
    Photo, crop,
    detect::Landmarks,
    error::{EngineError, Rejection},
    network::{self, Network},
    runtime::Runtime,
};

/// Tells whether a face covering is worn.
pub(crate) struct MaskClassifier {
    network: Box<dyn Network>,
}

impl MaskClassifier {
    /// The net, for the self-test.
    pub(crate) fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        Ok(Self {
            network: network::FACE_MASK.load(runtime)?,
        })
    }

    /// Probability, 0 to 1, that the face wears a covering, also one worn under the nose.
    pub(crate) fn score(&self, photo: &Photo, landmarks: &Landmarks) -> Result<f32, Rejection> {
        let crop = crop::aligned_crop(photo, landmarks, self.network.size())?;
        let outputs = self
            .network
            .run_square(crop::planes(&crop))
            .map_err(Rejection::Internal)?;
        match outputs.first().map(Vec::as_slice) {
            Some([score]) if score.is_finite() => Ok(*score),
            _ => Err(Rejection::Internal(
                "the mask net gave no single number".to_owned(),
            )),
        }
    }
}
