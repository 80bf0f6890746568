//! Prints how many session uses, rate decisions and look-ups a second a store takes, and how long
//! one takes.
//!
//! `cargo run --release -p livecheck-store --example throughput --features testing -- [ADDRESS]...`
//!
//! Without an address: a SQLite file in the temporary folder, and a PostgreSQL server of its own
//! that puts every commit on the disk, when PostgreSQL is installed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use livecheck_store::testing::{PostgresCluster, TempFolder};
use livecheck_store::{Clock as _, NewKey, Rate, Store, StoreError, SystemClock, open};

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Callers at once: alone, and as many as a busy node has.
const CALLERS: [usize; 2] = [1, 32];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = TempFolder::new();
    let mut cluster = None;
    let mut addresses: Vec<String> = std::env::args().skip(1).collect();
    if addresses.is_empty() {
        addresses.push(folder.path().join("store.db").display().to_string());
        cluster = PostgresCluster::start_durable();
        addresses.extend(cluster.as_ref().map(PostgresCluster::new_database));
    }
    println!("| store | call | callers | calls/s | median | 99 % within |");
    println!("|---|---|---:|---:|---:|---:|");
    for address in addresses {
        let store = open(&address).await?;
        for call in [Call::TakeUse, Call::TakeRate, Call::PeekSession] {
            for callers in CALLERS {
                measure(&store, call, callers).await?;
            }
        }
    }
    drop(cluster);
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Call {
    TakeUse,
    TakeRate,
    PeekSession,
}

async fn measure(store: &Arc<dyn Store>, call: Call, callers: usize) -> Result<(), StoreError> {
    let clock = SystemClock::new();
    let rate = Rate::new(1e6, 1_000_000)?;
    let mut tasks = Vec::new();
    let now = clock.now();
    for caller in 0..callers {
        // A key and a session each, as different clients have.
        let name = format!("bench {call:?} {callers}-{caller} {}", now.as_millis());
        let (key, _) = store.create_key(NewKey::named(name), now).await?;
        let end = now.plus(Duration::from_secs(3600));
        let token = store.create_session(&key.id, u32::MAX, end).await?.hash();
        tasks.push((Arc::clone(store), key.id, token));
    }
    let started = Instant::now();
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|(store, key, token)| {
            tokio::spawn(async move {
                let clock = SystemClock::new();
                let mut times = Vec::new();
                while started.elapsed() < MEASURED {
                    let (asked, now) = (Instant::now(), clock.now());
                    match call {
                        Call::TakeUse => drop(store.take_use(&token, &key, now).await?),
                        Call::TakeRate => drop(store.take_rate(&key, rate, now).await?),
                        Call::PeekSession => drop(store.peek_session(&token, &key, now).await?),
                    }
                    times.push(asked.elapsed());
                }
                Ok::<_, StoreError>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a caller doesn't panic")?);
    }
    let took = started.elapsed();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    let kind = store.address().split(':').next().unwrap_or_default();
    println!(
        "| {kind} | `{}` | {callers} | {:.0} | {:.2} ms | {:.2} ms |",
        match call {
            Call::TakeUse => "take_use",
            Call::TakeRate => "take_rate",
            Call::PeekSession => "peek_session",
        },
        times.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
    );
    Ok(())
}
