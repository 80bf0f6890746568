//! What a running service survives: SIGKILL while sessions are counted, a full disk, one that turns
//! read-only, a file it may not write, no file descriptors left, SIGTERM under load, a damaged model.
//! `docs/evidence/RELIABILITY.md` lists them with those that the crates below test themselves.

mod common;
#[path = "serve/process.rs"]
mod process;

use std::{
    fs,
    io::{ErrorKind, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use common::Bench;
use livecheck_store::{Clock, SessionState, SessionToken, SystemClock, testing::PostgresCluster};
use livecheck_testing::{drawn, eventually};
use process::{Process, under_shell};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Clients that send at the same time.
const CLIENTS: usize = 4;

fn make_key(bench: &Bench, database: &str) -> String {
    let key = bench.succeed(&[
        "keys",
        "create",
        "--name",
        "test",
        "--require-session",
        "--database",
        database,
    ]);
    key.trim().to_owned()
}

/// Whether the service answers 200 there.
fn says_ok(service: &Process, path: &str) -> bool {
    ureq::get(format!("{}/{path}", service.origin))
        .call()
        .is_ok()
}

/// Uses that the database has counted.
fn counted(database: &str, token: &str, uses: u32) -> u32 {
    Runtime::new().expect("a runtime").block_on(async {
        let store = livecheck_store::open(database).await.expect("the store");
        let key = store.list_keys().await.expect("keys").remove(0);
        let token = SessionToken::parse(token).expect("a token").hash();
        let now = SystemClock::new().now();
        match store
            .peek_session(&token, &key.id, now)
            .await
            .expect("the session")
        {
            SessionState::Ready { remaining } => uses - remaining,
            SessionState::Exhausted => uses,
            SessionState::NotFound => panic!("the session is gone"),
        }
    })
}

/// Sends photos from all clients until `enough` were judged, then calls `then`, and goes on until no
/// answer comes. Returns how many were judged.
fn load(
    service: &Process,
    token: &str,
    image: &[u8],
    enough: usize,
    then: impl FnOnce() + Send,
) -> u32 {
    let judged = AtomicU32::new(0);
    let then = Mutex::new(Some(then));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let headers = [
                    ("x-api-key", service.key.as_str()),
                    ("x-session-token", token),
                ];
                while let Some((status, body)) = service.try_judge(&headers, image) {
                    match (status, body["error_code"].as_str().unwrap_or_default()) {
                        (422, "051") => {
                            let now = judged.fetch_add(1, Ordering::SeqCst) as usize + 1;
                            if now >= enough
                                && let Some(then) = then.lock().expect("no panic").take()
                            {
                                then();
                            }
                        }
                        // Stopping; nothing was judged.
                        (503, "005") => thread::sleep(Duration::from_millis(5)),
                        (429, "062") => break,
                        other => panic!("answered wrongly: {other:?} {body}"),
                    }
                }
            });
        }
    });
    judged.into_inner()
}

fn kill_9_while_sessions_are_counted(database: &str) {
    const USES: u32 = 1000;
    let bench = Bench::new();
    let key = make_key(&bench, database);
    let uses = USES.to_string();
    let settings = [
        ("LIVECHECK_DATABASE", database),
        ("LIVECHECK_SESSION_USES", &uses),
    ];
    let image = drawn::jpeg(320, 320);
    let (mut token, mut judged) = (None, 0);
    // After how many judged photos, and how many ms later.
    let kills = [(1, 0), (5, 7), (17, 3), (30, 0), (9, 11)];
    for (number, (after, delay)) in (1..).zip(kills) {
        let service = Process::serving(&bench, &[], &settings, key.clone()).expect("it starts");
        let token = token.get_or_insert_with(|| service.session());
        let pid = service.pid().to_string();
        judged += load(&service, token, &image, after, || {
            thread::sleep(Duration::from_millis(delay));
            let killed = Command::new("kill").args(["-KILL", &pid]).status();
            assert!(killed.expect("kill").success());
        });
        service.kill();
        let counted = counted(database, token, USES);
        // Each kill may cost the photos that were being judged just then, one a client.
        let in_flight = u32::try_from(CLIENTS * number).expect("few");
        assert!(
            (judged..=judged + in_flight).contains(&counted),
            "{judged} judged, {counted} counted after {number} kills"
        );
    }
}

#[test]
fn kill_9_loses_and_gains_no_use_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("store.db");
    kill_9_while_sessions_are_counted(database.to_str().expect("UTF-8"));
}

#[test]
fn kill_9_loses_and_gains_no_use_on_postgresql() {
    if let Some(cluster) = PostgresCluster::start() {
        kill_9_while_sessions_are_counted(&cluster.new_database());
    }
}

#[test]
fn sigterm_under_load_answers_what_was_counted_and_nothing_wrongly() {
    const USES: u32 = 100_000;
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    let uses = USES.to_string();
    let settings = [
        ("LIVECHECK_SESSION_USES", &*uses),
        ("LIVECHECK_DRAIN_DELAY", "300ms"),
    ];
    let mut service = Process::serving(&bench, &[], &settings, key).expect("it starts");
    let token = service.session();
    let judged = load(&service, &token, &drawn::jpeg(320, 320), 20, || {
        service.terminate();
    });
    assert!(service.ended().success(), "{}", service.log());
    let database = bench.folder.path().join("livecheck.db");
    assert_eq!(
        counted(database.to_str().expect("UTF-8"), &token, USES),
        judged,
        "every judged photo's answer arrived"
    );
}

/// Uses of a session in the tests of disks: more than they take.
const DISK_USES: &str = "1000";

/// Settings that put database and audit log where a test says.
fn on_disk<'a>(database: &'a str, audit: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("LIVECHECK_DATABASE", database),
        ("LIVECHECK_AUDIT_FILE", audit),
        ("LIVECHECK_SESSION_USES", DISK_USES),
    ]
}

/// Status and error code of a photo's answer.
fn answered(service: &Process, token: &str, image: &[u8]) -> (u16, String) {
    let headers = [
        ("x-api-key", service.key.as_str()),
        ("x-session-token", token),
    ];
    let (status, body) = service.judge_with(&headers, image);
    let code = body["error_code"].as_str().unwrap_or_default();
    (status, code.to_owned())
}

/// A small file system of its own; `None`, said loudly, where mounting is not allowed.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(test: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = text(folder.path());
        if !succeeds(
            "mount",
            &["-t", "tmpfs", "-o", options, "livecheck-test", &at],
        ) {
            let _ = writeln!(
                std::io::stderr(),
                "\n*** LEFT OUT: {test}: mounting a tmpfs is not allowed here. ***\n"
            );
            return None;
        }
        Some(Self(folder))
    }

    fn path(&self, name: &str) -> String {
        text(&self.0.path().join(name))
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = fs::File::create(self.path("filler")).expect("a file");
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.path("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let Some(disk) = SmallDisk::mount("a full disk", "size=8m") else {
        return;
    };
    let bench = Bench::new();
    let (database, audit) = (disk.path("store.db"), disk.path("audit.jsonl"));
    let key = make_key(&bench, &database);
    let settings = on_disk(&database, &audit);
    let service = Process::serving(&bench, &[], &settings, key).expect("it starts");
    let token = service.session();
    let image = drawn::jpeg(320, 320);
    let mut judged = 0;
    let mut check = || {
        let (status, code) = answered(&service, &token, &image);
        judged += u32::from((status, &*code) == (422, "051"));
        (status, code)
    };
    assert_eq!(check(), (422, "051".to_owned()));
    disk.fill();
    // Room in pages that were there before may serve a few more.
    let mut refused = 0;
    for _ in 0..2000 {
        match check() {
            (503, code) if code == "005" => refused += 1,
            (422, code) if code == "051" => {}
            other => panic!("answered wrongly: {other:?}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was full");
    assert!(says_ok(&service, "healthz"), "the process is well");
    assert!(!says_ok(&service, "readyz"), "but not ready");
    disk.empty();
    eventually("judges again", || check().0 == 422);
    eventually("is ready", || says_ok(&service, "readyz"));
    assert_eq!(check().0, 422);
    assert!(service.stop());
    // What was refused gave its use back, or never took it; giving back may fail on a full disk.
    let counted = counted(&database, &token, DISK_USES.parse().expect("a number"));
    assert!(
        (judged..=judged + refused).contains(&counted),
        "{judged} judged, {refused} refused, {counted} counted"
    );
    // Every judged photo has its whole line, whatever the full disk tore.
    let lines = fs::read_to_string(&audit).expect("the audit log");
    let whole = lines
        .lines()
        .filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    assert!(whole.count() >= judged as usize, "{lines}");
}

/// A small ext4 file system in a file, which can be made to fail; `None`, said loudly, where that is
/// not allowed.
struct FailingDisk {
    folder: tempfile::TempDir,
}

impl FailingDisk {
    fn mount(test: &str) -> Option<Self> {
        let disk = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(disk.mounted_at()).expect("a folder");
        let image = fs::File::create(disk.image()).expect("a file");
        image.set_len(16 * 1024 * 1024).expect("a size");
        let made = succeeds("mkfs.ext4", &["-q", "-F", &disk.image()]);
        if !made || !disk.mount_again() || disk.trigger().is_none() {
            let _ = writeln!(
                std::io::stderr(),
                "\n*** LEFT OUT: {test}: ext4 can't be mounted from a file here. ***\n"
            );
            return None;
        }
        Some(disk)
    }

    fn image(&self) -> String {
        text(&self.folder.path().join("disk.img"))
    }

    fn mounted_at(&self) -> String {
        text(&self.folder.path().join("disk"))
    }

    fn path(&self, name: &str) -> String {
        text(&Path::new(&self.mounted_at()).join(name))
    }

    fn mount_again(&self) -> bool {
        let options = "loop,errors=remount-ro";
        succeeds("mount", &["-o", options, &self.image(), &self.mounted_at()])
    }

    /// The kernel's file that makes this file system find an error.
    fn trigger(&self) -> Option<PathBuf> {
        let found = Command::new("findmnt")
            .args(["-no", "SOURCE", &self.mounted_at()])
            .output();
        let device = common::text(&found.ok()?.stdout);
        let name = Path::new(device.trim()).file_name()?.to_owned();
        let trigger = Path::new("/sys/fs/ext4")
            .join(name)
            .join("trigger_fs_error");
        trigger.exists().then_some(trigger)
    }

    /// Turns read-only at once, whoever has files open for writing.
    fn fail(&self) {
        let trigger = self.trigger().expect("it is mounted");
        fs::write(trigger, "1").expect("an error is found");
    }

    /// What an administrator does about it.
    fn repair(&self) {
        assert!(succeeds("umount", &[&self.mounted_at()]));
        // 1: errors were found and mended.
        let checked = Command::new("e2fsck").args(["-fy", &self.image()]).output();
        let code = checked.expect("e2fsck").status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        assert!(self.mount_again());
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .args(["--lazy", &self.mounted_at()])
            .output();
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn a_disk_that_turns_read_only_refuses_and_loses_no_use() {
    let Some(disk) = FailingDisk::mount("a disk that turns read-only") else {
        return;
    };
    let bench = Bench::new();
    let (database, audit) = (disk.path("store.db"), disk.path("audit.jsonl"));
    let key = make_key(&bench, &database);
    let settings = on_disk(&database, &audit);
    let service = Process::serving(&bench, &[], &settings, key.clone()).expect("it starts");
    let token = service.session();
    let image = drawn::jpeg(320, 320);
    let check = |service: &Process| answered(service, &token, &image);
    for _ in 0..3 {
        assert_eq!(check(&service), (422, "051".to_owned()));
    }
    disk.fail();
    for _ in 0..20 {
        assert_eq!(check(&service), (503, "005".to_owned()));
    }
    assert!(says_ok(&service, "healthz"), "the process is well");
    assert!(!says_ok(&service, "readyz"), "but not ready");
    service.kill();
    disk.repair();
    let service = Process::serving(&bench, &[], &settings, key).expect("it starts again");
    assert_eq!(check(&service), (422, "051".to_owned()));
    assert!(service.stop());
    assert_eq!(
        counted(&database, &token, DISK_USES.parse().expect("a number")),
        4
    );
}

#[test]
fn a_database_that_may_not_be_written_ends_the_start_and_says_so() {
    let Some(disk) = SmallDisk::mount("a read-only database", "size=8m") else {
        return;
    };
    let bench = Bench::new();
    let database = disk.path("store.db");
    let key = make_key(&bench, &database);
    let remount = |option: &str| {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(disk.0.path())
            .status();
        assert!(done.expect("mount").success());
    };
    remount("ro");
    let settings = [("LIVECHECK_DATABASE", &*database)];
    let said = Process::serving(&bench, &[], &settings, key.clone())
        .err()
        .expect("it does not start");
    assert!(
        said.contains(&database) && said.contains("can't be opened for writing"),
        "{said}"
    );
    let (_, found) = {
        let output = bench.run(&["doctor", "--listen", "127.0.0.1:0", "--database", &database]);
        (output.status, common::text(&output.stdout))
    };
    assert!(
        found.contains("WRONG store") && found.contains("opened for writing"),
        "{found}"
    );
    remount("rw");
    let service = Process::serving(&bench, &[], &settings, key).expect("it starts");
    assert!(service.stop());
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_the_system_allows() {
    let bench = Bench::new();
    let found = |limits: &str| {
        let doctor = bench.command(&["doctor", "--max-connections", "100"]);
        let [shell, rest @ ..] = under_shell(limits);
        let mut wrapped = common::without_settings(shell);
        wrapped.args(rest).arg(doctor.get_program());
        wrapped.args(doctor.get_args());
        let output = wrapped.current_dir(bench.folder.path()).output();
        common::text(&output.expect("the shell starts").stdout)
    };
    let raised = found("ulimit -S -n 128");
    assert!(
        raised.contains("ok    file descriptors: 196 may be open, 196 are needed"),
        "{raised}"
    );
    let held = found("ulimit -n 128");
    assert!(
        held.contains("WRONG file descriptors: at most 128 may be open, 196 are needed"),
        "{held}"
    );
}

#[test]
fn no_file_descriptors_left_costs_no_wrong_answer_and_no_restart() {
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    let settings = [("LIVECHECK_SESSION_USES", "100000")];
    let service =
        Process::serving(&bench, &under_shell("ulimit -n 48"), &settings, key).expect("it starts");
    let token = service.session();
    let image = drawn::jpeg(320, 320);
    let headers = [
        ("x-api-key", service.key.as_str()),
        ("x-session-token", &token),
    ];
    assert_eq!(service.judge_with(&headers, &image).0, 422);
    // Held open and silent; more than there are descriptors. The rest wait in the system's queue.
    let address = service.origin.trim_start_matches("http://").to_owned();
    let held: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(&address).expect("the system accepts"))
        .collect();
    eventually("out of descriptors", || {
        service.log().contains("could not be accepted")
    });
    assert!(
        service.log().contains("Too many open files"),
        "{}",
        service.log()
    );
    drop(held);
    eventually("judges again", || {
        match service.try_judge(&headers, &image) {
            Some((422, _)) => true,
            Some((503, _)) | None => false,
            Some(other) => panic!("answered wrongly: {other:?}"),
        }
    });
    assert!(service.stop(), "it ends well");
}

/// Answers that nobody who waits for a blocked service would get; the bound only ends a hang.
fn patient() -> ureq::Agent {
    let minute = Some(Duration::from_secs(60));
    let config = ureq::Agent::config_builder();
    config
        .timeout_global(minute)
        .http_status_as_error(false)
        .build()
        .into()
}

#[test]
fn a_log_reader_that_stalls_stops_neither_the_service_nor_its_end() {
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    let mut service = Process::serving(&bench, &[], &[], key).expect("it starts");
    service.stall_log(true);
    let client = patient();
    // Each writes a line: the pipe takes 64 KiB, and what waits for it has a bound too.
    let mut dropped = 0.0;
    for request in 1..=20_000 {
        let answer = client.get(format!("{}/nowhere", service.origin)).call();
        assert_eq!(
            answer.map(|answer| answer.status().as_u16()).ok(),
            Some(404),
            "request {request}"
        );
        if request % 500 == 0 {
            dropped = service.metric("livecheck_log_lines_dropped_total");
            if dropped > 0.0 {
                break;
            }
        }
    }
    assert!(dropped > 0.0, "lines that have no room are counted");
    assert!(says_ok(&service, "healthz"));
    let image = drawn::jpeg(320, 320);
    let token = service.session();
    assert_eq!(answered(&service, &token, &image), (422, "051".to_owned()));

    // It stays ready, and says of itself what is wrong.
    let stalled = || {
        let metric = service.metric("livecheck_log_stalled");
        let mut answer = client.get(format!("{}/readyz", service.origin)).call();
        let answer = answer.as_mut().expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        let body = answer.body_mut().read_to_string().expect("text");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["status"], "ok");
        (metric > 0.0, body["log"].as_str() == Some("stalled"))
    };
    eventually("a stalled log shows", || stalled() == (true, true));

    // Once it is read again, it says what is missing, and loses nothing more.
    service.stall_log(false);
    eventually("the log is well", || stalled() == (false, false));
    eventually("says what was dropped", || {
        service.log().contains("log lines were dropped")
    });
    assert!(
        client
            .get(format!("{}/read-again", service.origin))
            .call()
            .is_ok()
    );
    eventually("logs again", || service.log().trim_end().ends_with('}'));

    service.stall_log(true);
    let before = service.metric("livecheck_log_lines_dropped_total");
    while service.metric("livecheck_log_lines_dropped_total") <= before {
        for _ in 0..500 {
            let answer = client.get(format!("{}/nowhere", service.origin)).call();
            assert!(answer.is_ok());
        }
    }
    service.terminate();
    assert!(
        service.ends_within(Duration::from_secs(60)),
        "it ends though nobody reads its log"
    );
    assert!(service.ended().success());
}

/// Where the models lie that the program holds.
fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/models")
}

/// A copy of the program with one bit of a model inside it changed.
fn damaged(folder: &Path, model: &str) -> PathBuf {
    let onnx = fs::read(models().join(format!("{model}.onnx"))).expect("the model");
    let mut program = fs::read(common::program()).expect("the program");
    let found = AtomicUsize::new(0);
    let mut from = 0;
    // A needle from the middle, where no two models are alike.
    let middle = onnx.len() / 2;
    let needle = &onnx[middle..middle + 64];
    while let Some(at) = memchr::memmem::find(&program[from..], needle) {
        program[from + at] ^= 1;
        from += at + 1;
        found.fetch_add(1, Ordering::Relaxed);
    }
    assert!(found.into_inner() > 0, "the program holds {model}");
    let path = folder.join(format!("livecheck-with-damaged-{model}"));
    fs::write(&path, program).expect("a copy");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, executable).expect("a program");
    path
}

#[test]
fn a_damaged_model_ends_the_start_and_is_named() {
    let bench = Bench::new();
    let names: Vec<String> = fs::read_dir(models())
        .expect("the models")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "onnx"))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for model in &names {
        let program = damaged(bench.folder.path(), model);
        for command in ["serve", "doctor"] {
            let mut command_line = common::without_settings(&program);
            command_line
                .arg(command)
                .args(["--listen", "127.0.0.1:0"])
                .current_dir(bench.folder.path());
            let output = loop {
                match command_line.output() {
                    // A child that another test is just starting still holds the written file open.
                    Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    output => break output.expect("it runs"),
                }
            };
            let said = common::text(&output.stdout) + &common::text(&output.stderr);
            assert!(!output.status.success(), "{command}: {said}");
            assert!(
                said.contains(&format!("model {model} is damaged")) && said.contains("SHA-256"),
                "{command} with a damaged {model}: {said}"
            );
        }
        fs::remove_file(program).expect("the copy");
    }
}

#[test]
fn what_is_done_to_an_audit_log_shows() {
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    // A part for every other line.
    let settings = [
        ("LIVECHECK_AUDIT_FILE", "audit.log"),
        ("LIVECHECK_AUDIT_MAX_BYTES", "1024"),
    ];
    let service = Process::serving(&bench, &[], &settings, key).expect("it serves");
    let token = service.session();
    let photo = drawn::jpeg(640, 640);
    for _ in 0..3 {
        let headers = [
            ("x-api-key", service.key.as_str()),
            ("x-session-token", &token),
        ];
        assert_eq!(service.judge_with(&headers, &photo).0, 422);
    }
    assert!(service.stop());

    let verify = || {
        let output = bench.run(&["audit", "verify", "audit.log"]);
        (output.status.code(), common::text(&output.stdout))
    };
    let (code, report) = verify();
    assert_eq!(code, Some(0), "{report}");
    assert!(
        report.contains("3 lines are intact, in files: "),
        "{report}"
    );
    assert!(!report.contains("in files: 1;"), "{report}");

    let mut parts: Vec<PathBuf> = fs::read_dir(bench.folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.to_string_lossy().contains("audit.log"))
        .collect();
    // The parts, then the log itself.
    parts.sort_by_key(|path| {
        (
            path.extension().is_some_and(|end| end == "log"),
            path.clone(),
        )
    });
    let saved: Vec<String> = parts
        .iter()
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    let whole: Vec<&str> = saved.iter().flat_map(|text| text.lines()).collect();
    let write = |lines: &[&str]| {
        for path in &parts {
            fs::remove_file(path).expect("it can be removed");
        }
        fs::write(
            bench.folder.path().join("audit.log"),
            lines.join("\n") + "\n",
        )
        .expect("it can be written");
        let found = verify();
        for (path, text) in parts.iter().zip(&saved) {
            fs::write(path, text).expect("it can be written");
        }
        found
    };
    let edited = whole[1].replacen("051", "007", 1);
    assert_ne!(edited, whole[1]);
    for (what, lines) in [
        ("edited", vec![whole[0], &edited, whole[2]]),
        ("deleted", vec![whole[0], whole[2]]),
        ("reordered", vec![whole[1], whole[0], whole[2]]),
        ("doubled", vec![whole[0], whole[0], whole[1], whole[2]]),
    ] {
        let (code, report) = write(&lines);
        assert_eq!(code, Some(1), "{what}: {report}");
        assert!(report.contains("WRONG  "), "{what}: {report}");
    }
    // As one file it is as good as in parts.
    let (code, report) = write(&whole);
    assert_eq!(code, Some(0), "{report}");
    // A part that is gone from the middle shows.
    let middle = &parts[1];
    fs::remove_file(middle).expect("it can be removed");
    let (code, report) = verify();
    assert_eq!(code, Some(1), "{report}");
    let (code, _) = bench.fail(&["audit", "verify", "other.log"]);
    assert_ne!(code, 0);
}

#[cfg(unix)]
#[test]
fn a_hangup_has_the_level_of_the_log_read_again() {
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    let file = bench.folder.path().join("livecheck.toml");
    fs::write(&file, "log_level = \"warn,livecheck_server=info\"\n").expect("a file");
    let settings = [("LIVECHECK_CONFIG", "livecheck.toml")];
    let service = Process::serving(&bench, &[], &settings, key).expect("it serves");
    let hangup = || {
        let pid = service.pid().to_string();
        let told = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(told.expect("kill").success());
    };
    let probe = |number: u32| {
        says_ok(&service, "healthz");
        // Lines of probes are of the level debug.
        service.log().matches("/healthz").count() >= number as usize
    };
    assert!(!probe(1));
    fs::write(&file, "log_level = \"debug\"\n").expect("a file");
    hangup();
    eventually("lines of the level debug", || probe(1));
    // What can't be used changes nothing.
    fs::write(&file, "log_level = \"nonsense=nonsense\"\n").expect("a file");
    hangup();
    eventually("a warning", || service.log().contains("log_level stays"));
    assert!(says_ok(&service, "readyz"));
}
