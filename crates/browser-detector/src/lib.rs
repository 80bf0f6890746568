//! The product's face detector for browsers: the network of `face-detector.onnx` in plain Rust, with
//! weights of eight bits, so that the WebAssembly module stays below a megabyte.
//!
//! The capture page looks at every frame of the camera with it. The server's verdict never depends on
//! it. `wasm/` holds the exports; the built module is `web/face-detector.wasm`, made by
//! `cargo xtask wasm`.
//!
//! ```
//! let detector = livecheck_browser_detector::Detector::new();
//! let grey = vec![128; 256 * 192 * 4];
//! assert!(detector.detect(&grey, 256, 192).is_empty());
//! ```

mod convolution;
mod faces;
mod layers;
mod network;

pub use faces::Face;
pub use network::Detector;
