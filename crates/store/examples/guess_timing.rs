//! How long the look-up of a wrong key and of a wrong session token takes, when it is almost right
//! and when it is not at all: `cargo run -p livecheck-store --example guess_timing`.
#![expect(clippy::unwrap_used, reason = "an example stops where the store fails")]

use std::time::{Duration, Instant};

use livecheck_store::testing::TempFolder;
use livecheck_store::{ApiKey, NewKey, SessionToken, Timestamp, open};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
/// Look-ups of each kind, one after the other, so that what disturbs one kind disturbs all.
const ROUNDS: usize = 1000;

/// The secret with another character at `at`.
fn changed(secret: &str, at: usize) -> String {
    let mut text = secret.as_bytes().to_vec();
    text[at] = if text[at] == b'B' { b'C' } else { b'B' };
    String::from_utf8(text).unwrap()
}

fn quartiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[times.len() * share / 4].as_nanos() as f64 / 1000.0;
    format!("{:7.1} {:7.1} {:7.1}", at(1), at(2), at(3))
}

#[tokio::main]
async fn main() {
    let folder = TempFolder::new();
    let store = open(folder.path().join("store.db").to_str().unwrap())
        .await
        .unwrap();
    let (record, key) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    for number in 0..50 {
        let name = format!("other {number}");
        store.create_key(NewKey::named(name), NOW).await.unwrap();
    }
    let end = NOW.plus(Duration::from_secs(60));
    let token = store.create_session(&record.id, 3, end).await.unwrap();

    let (key, token) = (key.reveal(), token.reveal());
    let kinds = [
        (
            "key: last but one character wrong",
            changed(key, key.len() - 2),
        ),
        ("key: first character wrong", changed(key, 4)),
        ("key: all wrong", format!("lck_{}", "A".repeat(43))),
        ("token: last character wrong", changed(token, 31)),
        ("token: first character wrong", changed(token, 0)),
        ("token: all wrong", "A".repeat(32)),
    ];
    let mut times = vec![Vec::with_capacity(ROUNDS); kinds.len()];
    for _ in 0..ROUNDS {
        for ((kind, text), times) in kinds.iter().zip(&mut times) {
            let started = Instant::now();
            if kind.starts_with("key") {
                let hash = ApiKey::parse(text).unwrap().hash();
                assert!(store.find_key(&hash).await.unwrap().is_none());
            } else {
                let hash = SessionToken::parse(text).unwrap().hash();
                store.peek_session(&hash, &record.id, NOW).await.unwrap();
            }
            times.push(started.elapsed());
        }
    }
    println!("{:<36} quartiles of {ROUNDS} look-ups, µs", "");
    for ((kind, _), times) in kinds.iter().zip(times) {
        println!("{kind:<36} {}", quartiles(times));
    }
}
