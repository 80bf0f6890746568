//! The module's three exports. No memory is shared by pointers on this side: the page asks where the
//! buffers lie and copies in and out.

use std::cell::RefCell;

use livecheck_browser_detector::Detector;

/// Floats per face: score, box, landmarks.
const FLOATS: usize = 15;

#[derive(Default)]
struct Memory {
    detector: Option<Detector>,
    rgba: Vec<u8>,
    faces: Vec<f32>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Makes room for a picture of `bytes` bytes (RGBA) and returns its address.
#[expect(unsafe_code, reason = "the name of an export")]
#[unsafe(no_mangle)]
pub extern "C" fn picture(bytes: usize) -> usize {
    MEMORY.with_borrow_mut(|memory| {
        memory.rgba.resize(bytes, 0);
        memory.rgba.as_ptr().addr()
    })
}

/// Finds the faces of the picture; returns how many.
#[expect(unsafe_code, reason = "the name of an export")]
#[unsafe(no_mangle)]
pub extern "C" fn detect(width: usize, height: usize) -> usize {
    MEMORY.with_borrow_mut(|memory| {
        let Memory {
            detector,
            rgba,
            faces,
        } = memory;
        let found = detector
            .get_or_insert_with(Detector::new)
            .detect(rgba, width, height);
        faces.clear();
        for face in &found {
            faces.push(face.score);
            faces.extend_from_slice(&face.bbox);
            faces.extend_from_slice(face.landmarks.as_flattened());
        }
        faces.len() / FLOATS
    })
}

/// Where the faces lie, 15 floats each: score, box x0 y0 x1 y1, five landmarks x y.
#[expect(unsafe_code, reason = "the name of an export")]
#[unsafe(no_mangle)]
pub extern "C" fn faces() -> usize {
    MEMORY.with_borrow(|memory| memory.faces.as_ptr().addr())
}
