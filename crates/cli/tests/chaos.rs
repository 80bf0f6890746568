//! What a bad night does, one thing after the other, to two nodes and their PostgreSQL under load:
//! killed, halted, slowed, failed over, a full disk, another time, a log that nobody reads, a flood of
//! connections. Clients keep books: at the end the database has counted what they were given.
//!
//! Each fault lasts a second, and how long the nodes take to recover is only shown. With
//! `LIVECHECK_CHAOS_MINUTES` (`cargo xtask chaos`) the faults go on in turn for that long, and ten
//! seconds are the most that a recovery may take.

#[expect(dead_code, reason = "not every test file uses all of it")]
mod common;
#[path = "serve/process.rs"]
mod process;

#[path = "chaos/frames.rs"]
mod frames;
#[path = "chaos/world.rs"]
mod world;

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use world::World;

/// Most time from the end of a fault until every node judges again.
const MOST_RECOVERY: Duration = Duration::from_secs(10);

/// Idle connections of a flood from each of two addresses.
const FLOOD: usize = 600;

/// For how long the faults go on; `None`: each once, briefly.
fn minutes(variable: &str) -> Option<f64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("minutes"))
}

/// Says past the test harness what was left out.
fn left_out(what: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** LEFT OUT: {what} ***\n");
}

type Fault = fn(&mut World, Duration) -> bool;

/// Each returns when the fault is over; `false`: it can't be brought about here.
const FAULTS: [(&str, Fault); 12] = [
    ("a node is killed and started again", kill_node),
    ("a node halts", halt_node),
    ("PostgreSQL is killed and started again", kill_database),
    ("PostgreSQL halts", halt_database),
    ("PostgreSQL answers slowly", slow_database),
    ("the network to PostgreSQL is cut", cut_network),
    ("a standby takes over", fail_over),
    ("the disk of the audit logs is full", fill_disk),
    (
        "the clock of a node jumps an hour ahead, then an hour behind",
        move_clock,
    ),
    ("nobody reads the logs", stall_logs),
    ("two addresses hold 600 idle connections each", flood),
    ("a node is stopped and started again", stop_node),
];

fn kill_node(world: &mut World, length: Duration) -> bool {
    world.nodes[0].kill();
    thread::sleep(length);
    world.start_node(0, &[]);
    true
}

fn stop_node(world: &mut World, length: Duration) -> bool {
    world.nodes[1].stop();
    thread::sleep(length);
    world.start_node(1, &[]);
    true
}

fn halt_node(world: &mut World, length: Duration) -> bool {
    world.nodes[1].signal("STOP");
    thread::sleep(length);
    world.nodes[1].signal("CONT");
    true
}

fn kill_database(world: &mut World, length: Duration) -> bool {
    world.primary.kill();
    thread::sleep(length);
    world.primary.start_again();
    true
}

fn halt_database(world: &mut World, length: Duration) -> bool {
    world.primary.freeze();
    thread::sleep(length);
    world.primary.thaw();
    true
}

fn slow_database(world: &mut World, length: Duration) -> bool {
    world.switch.slow(Duration::from_millis(50));
    thread::sleep(length);
    world.switch.slow(Duration::ZERO);
    true
}

fn cut_network(world: &mut World, length: Duration) -> bool {
    world.switch.cut(true);
    thread::sleep(length);
    world.switch.cut(false);
    true
}

fn fail_over(world: &mut World, length: Duration) -> bool {
    world.fail_over(length)
}

fn fill_disk(world: &mut World, length: Duration) -> bool {
    let Some(disk) = world.disk.as_ref() else {
        return false;
    };
    disk.fill();
    thread::sleep(length);
    disk.empty();
    true
}

/// The build of libfaketime for programs with threads. Ubuntu and Debian have it in a folder of the
/// machine's kind.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file())
}

/// The clock jumps under the running node, which is started with the library for that and without it
/// afterwards.
fn move_clock(world: &mut World, length: Duration) -> bool {
    let Some(library) = faketime() else {
        left_out("a clock that jumps: libfaketime is not installed.");
        return false;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clock");
    let set = |hours: i64| {
        // The library is never to read half of it.
        let new = folder.path().join("new");
        fs::write(&new, format!("{hours:+}h")).expect("a file");
        fs::rename(&new, &file).expect("one folder");
    };
    set(0);
    let (library, shift) = (shown(&library), shown(&file));
    let moved = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", shift.as_str()),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    world.nodes[0].stop();
    world.start_node(0, &moved);
    let pid = world.nodes[0].pid();
    for hours in [0, 1, -1, 0] {
        set(hours);
        world.nodes[0].wait_for_clock(hours);
        if hours != 0 {
            thread::sleep(length);
        }
    }
    world.nodes[0].stop();
    // The library leaves them.
    for shared in ["faketime_shm_", "sem.faketime_sem_"] {
        let _ = fs::remove_file(format!("/dev/shm/{shared}{pid}"));
    }
    world.start_node(0, &[]);
    true
}

fn stall_logs(world: &mut World, length: Duration) -> bool {
    world.stall_logs(true);
    thread::sleep(length);
    world.stall_logs(false);
    true
}

fn flood(world: &mut World, length: Duration) -> bool {
    let addresses: Vec<SocketAddr> = world.nodes.iter().map(world::Node::address).collect();
    let mut held = Vec::new();
    for address in addresses {
        for from in 1..=2 {
            held.extend((0..FLOOD).filter_map(|_| world::connect_from(from, address).ok()));
        }
    }
    for stream in &mut held {
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    }
    thread::sleep(length);
    drop::<Vec<TcpStream>>(held);
    true
}

#[test]
fn a_bad_night() {
    let minutes = minutes("LIVECHECK_CHAOS_MINUTES");
    let Some(mut world) = World::start() else {
        return;
    };
    let length = Duration::from_secs(if minutes.is_some() { 5 } else { 1 });
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes.unwrap_or(0.0));
    let mut table = String::from(
        "\n| fault | judged meanwhile | refused | no answer | recovered after |\n|---|---|---|---|---|\n",
    );
    let mut late = Vec::new();
    loop {
        for (name, fault) in FAULTS {
            let before = world.counts();
            let Some(recovery) = world.suffer(name, fault, length) else {
                continue;
            };
            let counts = world.counts();
            let [judged, refused, unanswered] = [0, 1, 2].map(|at| counts[at] - before[at]);
            writeln!(
                table,
                "| {name} | {judged} | {refused} | {unanswered} | {:.1} s |",
                recovery.as_secs_f64()
            )
            .expect("a string");
            if recovery > MOST_RECOVERY {
                late.push((name, recovery));
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    let report = world.settle();
    let _ = writeln!(std::io::stderr(), "{table}\n{report}\n");
    assert!(
        minutes.is_none() || late.is_empty(),
        "later than ten seconds: {late:?}"
    );
}

fn make_key(bench: &common::Bench, database: &str) -> String {
    let create = ["keys", "create", "--name", "test", "--require-session"];
    let create = [&create[..], &["--database", database]].concat();
    bench.succeed(&create).trim().to_owned()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn shown(path: &Path) -> String {
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}
