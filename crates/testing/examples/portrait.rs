//! Writes the drawn portrait as a JPEG: `cargo run -p livecheck-testing --example portrait > web/sample.jpg`.

use std::io::Write as _;

use livecheck_testing::{drawn, portrait::portrait};

fn main() -> std::io::Result<()> {
    let jpeg = drawn::jpeg_of(&portrait(720, 900), false);
    std::io::stdout().write_all(&jpeg)
}
