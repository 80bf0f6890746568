//! Every file of the table of hostile files gets its answer, on a thread that lives on.

use livecheck_engine::{Engine, EngineConfig};
use livecheck_testing::hostile;

#[test]
fn every_hostile_file_gets_its_answer() {
    let engine = Engine::new(EngineConfig::default()).expect("the embedded models load");
    let files = hostile::files();
    assert!(files.len() > 1000, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let answer = match engine.check(&file.file) {
            Ok(verdict) => format!("a verdict: {verdict:?}"),
            Err(refusal) if file.answers.contains(&refusal.code()) => continue,
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
        };
        wrong.push(format!(
            "{} ({}) must get {}, got {answer}",
            file.name,
            file.why,
            file.answers.join(" or ")
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
