//! Photos that real clients sent, with their right answers, where `LIVECHECK_CASES` names the folder or
//! it lies beside that of `LIVECHECK_DATA`.

use std::{env, fs, path::PathBuf};

use livecheck_engine::{Engine, EngineConfig};

/// Answers that depend on the liveness nets, not on how a photo is read.
const LIVENESS: [&str; 2] = ["live", "attack"];

fn folder() -> Option<PathBuf> {
    let named = env::var_os("LIVECHECK_CASES").map(PathBuf::from);
    let beside = || Some(PathBuf::from(env::var_os("LIVECHECK_DATA")?).join("../cases"));
    let folder = named.or_else(beside).filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("!!! LEFT OUT: field cases: LIVECHECK_CASES does not name their folder");
    }
    folder
}

#[test]
fn every_photo_of_the_field_cases_is_read_right() {
    let Some(folder) = folder() else {
        return;
    };
    let engine = Engine::new(EngineConfig::default()).expect("the embedded models load");
    let mut rows = csv::Reader::from_path(folder.join("cases.csv")).expect("a table");
    let (mut wrong, mut verdicts) = (Vec::new(), Vec::new());
    for row in rows.records() {
        let row = row.expect("a row");
        let (name, expected) = (&row[0], &row[4]);
        if &row[1] != "file" {
            continue;
        }
        let file = fs::read(folder.join(name)).expect("a case");
        let (answer, detail) = match engine.check(&file) {
            Ok(verdict) => (
                if verdict.live { "live" } else { "attack" }.to_owned(),
                format!("score {:.2}, {:?}", verdict.score, verdict.details.image),
            ),
            Err(refusal) => (refusal.code().to_owned(), refusal.to_string()),
        };
        println!("{name}: {answer} ({expected}): {detail}");
        if expected.split('|').any(|one| one == answer) {
            continue;
        }
        let judged = LIVENESS.contains(&answer.as_str());
        if judged && expected.split('|').any(|one| LIVENESS.contains(&one)) {
            verdicts.push(format!("{name}: {answer}, not {expected}: {detail}"));
        } else {
            wrong.push(format!("{name}: {answer}, not {expected}: {detail}"));
        }
    }
    println!("verdicts of the nets that differ:\n{}", verdicts.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
