//! How a head is turned, told from its five landmarks.

use crate::face::Landmarks;

/// Eyes, nose and mouth corners of a mean head about their centre, millimetres: right and down as in the
/// picture, and towards the camera.
const HEAD: [[f32; 3]; 5] = [
    [-32.0, -32.6, -5.2],
    [32.0, -32.6, -5.2],
    [0.0, 0.4, 16.8],
    [-25.0, 32.4, -3.2],
    [25.0, 32.4, -3.2],
];

/// By how many degrees cameras held as people hold them seem to look at a face from above: what most
/// portraits have.
const COMMON_PITCH: f32 = 14.0;

/// Yaw and pitch in degrees, both 0 for a face that looks into the camera.
///
/// The head is fitted to the landmarks under scaled orthography (D. DeMenthon and L. Davis, "Model-based
/// object pose in 25 lines of code", 1995, one step), after its roll is taken out.
pub(super) fn degrees(landmarks: &Landmarks) -> [f32; 2] {
    let mean = [0, 1].map(|axis| landmarks.iter().map(|point| point[axis]).sum::<f32>() / 5.0);
    let centred = landmarks.map(|[x, y]| [x - mean[0], y - mean[1]]);
    let dot = |model: usize, points: &[[f32; 2]; 5], axis: usize| -> f32 {
        HEAD.iter()
            .zip(points)
            .map(|(head, point)| head[model] * point[axis])
            .sum()
    };
    let roll = dot(0, &centred, 1).atan2(dot(0, &centred, 0));
    let (sine, cosine) = roll.sin_cos();
    let upright = centred.map(|[x, y]| [cosine * x + sine * y, cosine * y - sine * x]);

    // The head is symmetric: what lies across does not mix with what lies down and in depth.
    let of =
        |one: usize, other: usize| -> f32 { HEAD.iter().map(|head| head[one] * head[other]).sum() };
    let (yy, yz, zz) = (of(1, 1), of(1, 2), of(2, 2));
    let determinant = yy * zz - yz * yz;
    let down_and_depth = |axis: usize| {
        let (y, z) = (dot(1, &upright, axis), dot(2, &upright, axis));
        [
            (y * zz - z * yz) / determinant,
            (z * yy - y * yz) / determinant,
        ]
    };
    let across = dot(0, &upright, 0) / of(0, 0);
    let [_, aside] = down_and_depth(0);
    let [down, raised] = down_and_depth(1);
    [
        aside.atan2(across).to_degrees(),
        raised.atan2(down).to_degrees() - COMMON_PITCH,
    ]
}
