//! A process that counts is killed (SIGKILL) at any moment: every use it acknowledged is in the
//! database, and at most the one it was working on besides.
#![expect(clippy::unwrap_used, reason = "a test stops where the store fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use livecheck_store::testing::{PostgresCluster, TempFolder};
use livecheck_store::{
    KeyRecord, NewKey, SessionState, SessionToken, Store, Timestamp, TokenHash, open,
};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const END: Timestamp = Timestamp::from_millis(1_780_000_060_000);
const ADDRESS: &str = "LIVECHECK_TEST_ADDRESS";
const TOKEN: &str = "LIVECHECK_TEST_TOKEN";
const TAKEN: &str = "taken";

/// After how many acknowledged uses, and how many µs later, the child is killed.
const KILLS: [(usize, u64); 10] = [
    (1, 0),
    (2, 150),
    (3, 900),
    (7, 40),
    (13, 400),
    (31, 0),
    (60, 2500),
    (61, 70),
    (150, 1300),
    (300, 220),
];

#[test]
#[ignore = "the other tests run it, as the process they kill"]
fn child_counts_until_killed() {
    let address = std::env::var(ADDRESS).expect("the parent sets the address");
    let token = std::env::var(TOKEN).expect("the parent sets the token");
    let token = SessionToken::parse(&token)
        .expect("the parent sets a token")
        .hash();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(&address).await.unwrap();
        let key = store.list_keys().await.unwrap().remove(0);
        while let SessionState::Ready { .. } = store.take_use(&token, &key.id, NOW).await.unwrap() {
            let mut out = std::io::stdout().lock();
            writeln!(out, "\n{TAKEN}").unwrap();
            out.flush().unwrap();
        }
    });
}

/// Lets a child count and kills it (or lets it end, when the uses do); returns what it acknowledged.
fn count_and_kill(address: &str, token: &SessionToken, after: usize, delay: Duration) -> u32 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_counts_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(ADDRESS, address)
        .env(TOKEN, token.reveal())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = 0;
    for line in output.lines() {
        if line.unwrap() == TAKEN {
            acknowledged += 1;
            if acknowledged == after {
                std::thread::sleep(delay);
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    u32::try_from(acknowledged).unwrap()
}

async fn counted(store: &dyn Store, key: &KeyRecord, token: &TokenHash, uses: u32) -> u32 {
    match store.peek_session(token, &key.id, NOW).await.unwrap() {
        SessionState::Ready { remaining } => uses - remaining,
        SessionState::Exhausted => uses,
        SessionState::NotFound => panic!("the session is gone"),
    }
}

async fn acknowledged_uses_are_counted(address: &str) {
    const USES: u32 = 1_000_000;
    let store = open(address).await.unwrap();
    let (key, _) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    for (after, delay) in KILLS {
        let token = store.create_session(&key.id, USES, END).await.unwrap();
        let acknowledged = count_and_kill(address, &token, after, Duration::from_micros(delay));
        assert!(
            acknowledged as usize >= after,
            "the child was killed, and not before"
        );
        let counted = counted(&*store, &key, &token.hash(), USES).await;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&counted),
            "{acknowledged} uses were acknowledged, {counted} are in the database"
        );
    }
}

async fn kills_never_raise_the_limit(address: &str) {
    const USES: u32 = 25;
    let store = open(address).await.unwrap();
    let (key, _) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    let token = store.create_session(&key.id, USES, END).await.unwrap();
    let (mut acknowledged, mut kills) = (0, 0);
    while counted(&*store, &key, &token.hash(), USES).await < USES {
        acknowledged += count_and_kill(address, &token, 4, Duration::from_micros(300 * kills));
        kills += 1;
    }
    acknowledged += count_and_kill(address, &token, 4, Duration::ZERO);
    // Each kill may cost the one use that was on its way.
    let lost = u32::try_from(kills).unwrap();
    assert!(
        (USES.saturating_sub(lost)..=USES).contains(&acknowledged),
        "{acknowledged} of {USES} uses were acknowledged over {kills} kills"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let folder = TempFolder::new();
    let file = |name| folder.path().join(name).to_str().unwrap().to_owned();
    acknowledged_uses_are_counted(&file("a.db")).await;
    kills_never_raise_the_limit(&file("b.db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    acknowledged_uses_are_counted(&cluster.new_database()).await;
    kills_never_raise_the_limit(&cluster.new_database()).await;
}
