//! Requests that real clients sent, with their right answers, over HTTP and through `livecheck check`: where
//! `LIVECHECK_CASES` names their folder or it lies beside that of `LIVECHECK_DATA`.

use std::{collections::HashMap, env, fs, path::PathBuf};

use serde_json::Value;

use crate::{
    common::{Bench, text},
    service::Service,
};

struct Case {
    file: String,
    /// `Some` for a whole body: content type and a further header.
    body: Option<(String, Option<(String, String)>)>,
    expected: Vec<String>,
    path: PathBuf,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("a case")
    }

    /// Whether `answer` (`live`, `attack` or an error code) is right as far as reading decides it; which
    /// verdict it is, the nets decide.
    fn accepts(&self, answer: &str) -> bool {
        let verdict = |answer: &str| matches!(answer, "live" | "attack");
        let mut expected = self.expected.iter();
        expected.any(|right| right == answer || (verdict(right) && verdict(answer)))
    }
}

fn cases() -> Option<Vec<Case>> {
    let named = env::var_os("LIVECHECK_CASES").map(PathBuf::from);
    let beside = || Some(PathBuf::from(env::var_os("LIVECHECK_DATA")?).join("../cases"));
    let Some(folder) = named.or_else(beside).filter(|folder| folder.is_dir()) else {
        eprintln!("!!! LEFT OUT: field cases: LIVECHECK_CASES does not name their folder");
        return None;
    };
    let mut rows = csv::Reader::from_path(folder.join("cases.csv")).expect("a table");
    let cases = rows.records().map(|row| {
        let row = row.expect("a row");
        let header = row[3].split_once(": ");
        Case {
            file: row[0].to_owned(),
            body: (&row[1] == "body").then(|| {
                let header = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
                (row[2].to_owned(), header)
            }),
            expected: row[4].split('|').map(str::to_owned).collect(),
            path: folder.join(&row[0]),
        }
    });
    Some(cases.collect())
}

/// `live`, `attack` or the error code of an envelope.
fn answer(envelope: &Value) -> String {
    match &envelope["result"]["liveness"] {
        Value::Bool(true) => "live".to_owned(),
        Value::Bool(false) => "attack".to_owned(),
        _ => envelope["error_code"].as_str().expect("a code").to_owned(),
    }
}

#[test]
fn every_request_of_the_field_cases_is_understood() {
    let Some(cases) = cases() else {
        return;
    };
    let bench = Bench::new();
    let service = Service::demonstration(&bench, &[]);
    let mut wrong = Vec::new();
    let mut bodies = 0;
    for case in &cases {
        let (status, envelope) = match &case.body {
            None => service.judge(&service.key, &case.bytes()),
            Some((content_type, header)) => {
                bodies += 1;
                let mut headers = vec![("x-api-key", service.key.as_str())];
                headers.extend(header.as_ref().map(|(name, value)| (&**name, &**value)));
                service.post_with(&headers, content_type, &case.bytes())
            }
        };
        let answer = answer(&envelope);
        println!("{}: {status} {answer} ({:?})", case.file, case.expected);
        let details = &envelope["result"]["details"];
        if !case.accepts(&answer) || case.file.contains("details") != details.is_object() {
            wrong.push(format!("{}: {envelope}", case.file));
        }
        if answer == "004" {
            // What the detail says is true of the request.
            let detail = envelope["error_detail"].as_str().expect("a detail");
            let (_, header) = case.body.as_ref().expect("a body");
            let (name, value) = header.as_ref().expect("a header");
            if !detail.to_lowercase().contains(&name.to_lowercase()) || !detail.contains(value) {
                wrong.push(format!("{}: {detail}", case.file));
            }
        }
    }
    assert!(bodies > 5, "{bodies} bodies");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(service.stop());
}

#[test]
fn every_photo_of_the_field_cases_gets_its_answer_from_check() {
    let Some(cases) = cases() else {
        return;
    };
    let cases: HashMap<String, &Case> = cases
        .iter()
        .filter(|case| case.body.is_none())
        .map(|case| (case.path.display().to_string(), case))
        .collect();
    let bench = Bench::new();
    let mut command = bench.command(&["check", "--json"]);
    let output = command
        .args(cases.keys())
        .output()
        .expect("the binary starts");
    let mut wrong = Vec::new();
    let mut answers = 0;
    for line in text(&output.stdout).lines() {
        let envelope: Value = serde_json::from_str(line).expect("JSON");
        let case = cases[envelope["file"].as_str().expect("a name")];
        answers += 1;
        if !case.accepts(&answer(&envelope)) {
            wrong.push(format!("{}: {envelope}", case.file));
        }
    }
    assert_eq!(answers, cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
