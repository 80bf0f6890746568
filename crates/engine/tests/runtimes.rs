//! Both runtimes give the same verdicts, and a library that cannot be used is a clear error. That the
//! nets themselves agree within 1e-3 on the same crops is held by `src/golden.rs`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use livecheck_engine::{
    Details, Engine, EngineConfig, EngineError, ExecutionProvider, Limits, Rejection, Runtime,
    RuntimeChoice, RuntimeSettings, Verdict,
};
use livecheck_testing::{drawn, real};

/// Largest difference of a score, and of a coordinate relative to the face.
///
/// Liveness is compared in the same face box: one that differs by a thousandth of a pixel may
/// start the grain net's view a whole pixel further, which is no matter of the runtime.
const TOLERANCE: f32 = 1e-3;

/// Photos compared.
const PHOTOS: usize = 320;

fn settings(choice: RuntimeChoice, library: &Path) -> RuntimeSettings {
    RuntimeSettings {
        choice,
        library: Some(library.to_owned()),
        ..RuntimeSettings::default()
    }
}

/// The library that `LIVECHECK_ONNXRUNTIME` names, or `None` after saying loudly what is left out.
fn library(test: &str) -> Option<PathBuf> {
    let library = env::var_os("LIVECHECK_ONNXRUNTIME").map(PathBuf::from);
    if library.is_none() {
        eprintln!("!!! LEFT OUT: {test}: LIVECHECK_ONNXRUNTIME names no library of ONNX Runtime");
    }
    library
}

/// Webcam frames are small.
fn config() -> EngineConfig {
    EngineConfig {
        limits: Limits {
            min_image_side: 200,
            min_face_side: 40,
            ..Limits::default()
        },
        ..EngineConfig::default()
    }
}

/// Drawn pictures, and every fourth photo of `pad_dev` where it is.
fn photos() -> Vec<(String, Vec<u8>)> {
    let mut photos: Vec<(String, Vec<u8>)> = (0..8)
        .map(|step| {
            (
                format!("pattern {step}"),
                drawn::jpeg(320 + 40 * step, 480 - 20 * step),
            )
        })
        .collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in [
        "cartoon_face",
        "cartoon_face_cut_by_the_frame",
        "cartoon_face_tilted_small",
    ] {
        let file = fs::read(golden.join(format!("{name}.png"))).expect("a golden picture");
        photos.push((name.to_owned(), file));
    }
    if let Some(folder) = real::folder("both runtimes on real faces") {
        photos.extend(real::spread(&folder, "pad_dev", PHOTOS, |_| true));
    }
    photos
}

/// The numbers of a verdict that may differ by [`TOLERANCE`].
fn numbers(verdict: &Verdict) -> Vec<f32> {
    let Details {
        face, mask_score, ..
    } = &verdict.details;
    let width = face.bbox.width();
    let mut numbers = vec![face.score, *mask_score];
    let corners = [face.bbox.x0, face.bbox.y0, face.bbox.x1, face.bbox.y1];
    numbers.extend(corners.map(|at| at / width));
    numbers.extend(face.landmarks.iter().flatten().map(|at| at / width));
    numbers
}

#[test]
fn both_runtimes_give_the_same_verdicts() {
    let Some(library) = library("both runtimes give the same verdicts") else {
        return;
    };
    let embedded = Engine::new(config()).expect("the embedded runtime");
    let other = Engine::with_runtime(config(), &settings(RuntimeChoice::Auto, &library))
        .expect("ONNX Runtime loads");
    assert_eq!(other.runtime().info().name, "onnxruntime");
    assert!(!other.runtime().info().version.is_empty());
    other.self_test().expect("it computes what was measured");

    let photos = photos();
    let (mut verdicts, mut largest) = (0, 0.0_f32);
    for (name, file) in &photos {
        match (embedded.check(file), other.check(file)) {
            (Ok(one), Ok(two)) => {
                verdicts += 1;
                assert_eq!(two.details.runtime.name, "onnxruntime");
                let photo = other.locate(file).expect("it was read before").photo;
                let same_box = other
                    .judge_face(&photo, &one.details.face)
                    .expect("a face in its box");
                largest = largest.max((one.score - same_box.score).abs());
                assert!(
                    (one.score - same_box.score).abs() <= TOLERANCE,
                    "{name}: {} and {}",
                    one.score,
                    same_box.score
                );
                for (one, two) in numbers(&one).into_iter().zip(numbers(&two)) {
                    largest = largest.max((one - two).abs());
                    assert!((one - two).abs() <= TOLERANCE, "{name}: {one} and {two}");
                }
            }
            (one, two) => {
                let code = |outcome: Result<Verdict, Rejection>| outcome.err().map(|e| e.code());
                assert_eq!(code(one), code(two), "{name}");
            }
        }
    }
    println!(
        "{} images, {verdicts} verdicts: largest difference {largest:e}",
        photos.len()
    );
}

#[test]
fn threads_share_a_network_of_onnx_runtime() {
    let Some(library) = library("threads on ONNX Runtime") else {
        return;
    };
    let engine = Engine::with_runtime(config(), &settings(RuntimeChoice::OnnxRuntime, &library))
        .expect("ONNX Runtime loads");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cartoon_face.png");
    let file = fs::read(golden).expect("a golden picture");
    let alone = engine.check(&file).map(|verdict| verdict.score);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(engine.check(&file).map(|verdict| verdict.score), alone);
                }
            });
        }
    });
}

#[test]
fn a_named_library_that_cannot_be_used_is_a_clear_error() {
    let folder = env::temp_dir().join(format!("livecheck-runtimes-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let text = folder.join("libonnxruntime.so");
    fs::write(&text, "not a library").expect("a file");
    for library in [folder.join("missing.so"), text, folder.clone()] {
        for choice in [RuntimeChoice::Auto, RuntimeChoice::OnnxRuntime] {
            let error = Runtime::load(&settings(choice, &library)).expect_err("no library");
            assert!(matches!(error, EngineError::Runtime { .. }), "{error}");
            let says = error.to_string();
            for part in [
                &*library.to_string_lossy(),
                "LIVECHECK_ONNXRUNTIME",
                "embedded",
            ] {
                assert!(says.contains(part), "{says}");
            }
        }
    }
    fs::remove_dir_all(folder).expect("the folder goes");
}

#[test]
fn the_embedded_runtime_asks_for_no_library() {
    let settings = settings(RuntimeChoice::Embedded, Path::new("/nowhere"));
    let runtime = Runtime::load(&settings).expect("it is inside");
    assert_eq!(runtime.info().name, "embedded");
    assert_eq!(runtime.library(), None);
}

#[test]
fn on_a_processor_auto_is_the_embedded_runtime_unless_a_library_is_named() {
    let mut settings = RuntimeSettings {
        choice: RuntimeChoice::Auto,
        ..RuntimeSettings::default()
    };
    let runtime = Runtime::load(&settings).expect("it is inside");
    assert_eq!(
        (runtime.info().name, runtime.note()),
        ("embedded", None),
        "whatever the system's folders hold"
    );

    // With a device: a library is looked for, and that none serves is said.
    settings.execution_provider = Some(if cfg!(target_os = "macos") {
        ExecutionProvider::Cuda
    } else {
        ExecutionProvider::CoreMl
    });
    let runtime = Runtime::load(&settings).expect("the embedded one instead");
    assert_eq!(runtime.info().name, "embedded");
    let note = runtime.note().expect("why no device is used");
    assert!(note.contains("ONNX Runtime cannot be loaded"), "{note}");
}
