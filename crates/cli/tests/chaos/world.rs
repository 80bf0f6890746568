//! Two nodes, their database and its standby, the clients, and the books that those keep.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use livecheck_store::{
    Clock as _, SessionState, SessionToken, SystemClock,
    testing::{PostgresCluster, Switch},
};
use livecheck_testing::drawn;
use serde_json::Value;
use tokio::{net::TcpSocket, runtime::Runtime};

use crate::{Fault, common::Bench, left_out, process::Process, shown, succeeds};

/// Clients that send photos all the time.
const CLIENTS: usize = 3;

/// Checks that a session is good for.
const USES: u32 = 3;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client that was refused waits.
const PAUSE: Duration = Duration::from_millis(20);

/// Seconds that the clock of a node may be off, for the last line of its log may be old.
const CLOCK_TOLERANCE: i64 = 60;

const SECONDS_PER_DAY: i64 = 24 * 3600;

/// Longest time that a recovery is waited for.
const GIVE_UP: Duration = Duration::from_secs(120);

/// A node, whatever state it is in.
pub(crate) struct Node {
    process: Mutex<Option<Process>>,
    /// Where it listens, or last did.
    origin: Mutex<String>,
}

impl Node {
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().expect("no panic")
    }

    fn origin(&self) -> String {
        self.origin.lock().expect("no panic").clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let origin = self.origin();
        let (_, address) = origin.split_once("//").expect("an address");
        address.parse().expect("an address")
    }

    pub(crate) fn kill(&self) {
        self.process().take().expect("it runs").kill();
    }

    pub(crate) fn stop(&self) {
        let process = self.process().take().expect("it runs");
        assert!(process.stop(), "a node that is stopped ends well");
    }

    /// Waits until the lines of its log, of which each request leaves one, are so many hours ahead of this
    /// machine's clock.
    pub(crate) fn wait_for_clock(&self, hours: i64) {
        let since = Instant::now();
        loop {
            let log = self.process().as_ref().expect("it runs").log();
            let last = log.lines().next_back().expect("a line");
            let now = SystemClock::new().now().as_millis() / 1000;
            let off = (second_of_day(last) - now - hours * 3600).rem_euclid(SECONDS_PER_DAY);
            if off.min(SECONDS_PER_DAY - off) < CLOCK_TOLERANCE {
                return;
            }
            assert!(
                since.elapsed() < GIVE_UP,
                "the clock is to be {hours} hours ahead, but the node logs {last}"
            );
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process().as_ref().expect("it runs").pid()
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(succeeds("kill", &["-s", signal, &self.pid().to_string()]));
    }
}

/// The second of the day at which a line of the log was written.
fn second_of_day(line: &str) -> i64 {
    let line: Value = serde_json::from_str(line).expect("JSON");
    let (_, time) = line["timestamp"]
        .as_str()
        .and_then(|timestamp| timestamp.split_once('T'))
        .expect("a time");
    time[.."hh:mm:ss".len()]
        .split(':')
        .fold(0, |seconds, part| {
            seconds * 60 + part.parse::<i64>().expect("a number")
        })
}

/// What happened to the uses of one session.
struct Book {
    token: String,
    /// Photos that were judged, as the client was told.
    judged: u32,
    /// Requests without an answer, or refused: a use may be taken and never given back when the database
    /// went away in between.
    doubtful: u32,
}

/// What the clients share.
struct Clients {
    nodes: Arc<[Node; 2]>,
    key: String,
    photo: Vec<u8>,
    verdict: (u16, String),
    books: Mutex<Vec<Book>>,
    wrong: Mutex<Vec<String>>,
    judged: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    stop: AtomicBool,
    turn: AtomicUsize,
}

/// The outcome of a request.
enum Outcome {
    Judged,
    Refused,
    UsedUp,
    NoAnswer,
}

impl Clients {
    fn agent() -> ureq::Agent {
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into()
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().expect("no panic").push(what);
    }

    /// A session opened at this node; `None`: it was refused, or there was no answer.
    fn session(&self, agent: &ureq::Agent, node: &Node) -> Option<String> {
        let answer = agent
            .get(format!("{}/session/", node.origin()))
            .header("x-api-key", &self.key)
            .call();
        let (status, body) = read(answer)?;
        match (status, body["error_code"].as_str().unwrap_or_default()) {
            (200, _) => Some(body["session_token"].as_str()?.to_owned()),
            (503, "005") => None,
            other => {
                self.wrong(format!("a session: {other:?} {body}"));
                None
            }
        }
    }

    fn judge(&self, agent: &ureq::Agent, node: &Node, token: &str) -> Outcome {
        let boundary = "livecheck-chaos-boundary";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"selfie\"\r\n\r\n"
        )
        .into_bytes();
        body.extend(&self.photo);
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let answer = agent
            .post(format!("{}/liveness/", node.origin()))
            .header("x-api-key", &self.key)
            .header("x-session-token", token)
            .content_type(format!("multipart/form-data; boundary={boundary}"))
            .send(&body[..]);
        let Some((status, body)) = read(answer) else {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
            return Outcome::NoAnswer;
        };
        let code = body["error_code"].as_str().unwrap_or_default().to_owned();
        match (status, code.as_str()) {
            (429, "062") => Outcome::UsedUp,
            (503, "005") => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Outcome::Refused
            }
            _ if (status, &code) == (self.verdict.0, &self.verdict.1) => {
                self.judged.fetch_add(1, Ordering::SeqCst);
                Outcome::Judged
            }
            other => {
                self.wrong(format!("a photo: {other:?} {body}"));
                Outcome::Refused
            }
        }
    }

    fn next_node(&self) -> &Node {
        &self.nodes[self.turn.fetch_add(1, Ordering::SeqCst) % 2]
    }

    /// Opens sessions and uses them up, on either node, until told to stop.
    fn run(&self) {
        let agent = Self::agent();
        while !self.stop.load(Ordering::SeqCst) {
            let Some(token) = self.session(&agent, self.next_node()) else {
                thread::sleep(PAUSE);
                continue;
            };
            let mut book = Book {
                token,
                judged: 0,
                doubtful: 0,
            };
            while !self.stop.load(Ordering::SeqCst) {
                match self.judge(&agent, self.next_node(), &book.token) {
                    Outcome::Judged => book.judged += 1,
                    Outcome::UsedUp => break,
                    Outcome::Refused | Outcome::NoAnswer => {
                        book.doubtful += 1;
                        thread::sleep(PAUSE);
                    }
                }
            }
            self.books.lock().expect("no panic").push(book);
        }
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<(u16, Value)> {
    let mut answer = answer.ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), serde_json::from_str(&text).ok()?))
}

/// A small file system of its own.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = shown(folder.path());
        let options = ["-t", "tmpfs", "-o", "size=64m", "livecheck-test", &at];
        if succeeds("mount", &options) {
            return Some(Self(folder));
        }
        left_out("a full disk: mounting a tmpfs is not allowed here.");
        None
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.path().join("filler")).expect("a file");
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.0.path().join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let at = shown(self.0.path());
        succeeds("umount", &["--lazy", &at]);
    }
}

pub(crate) struct World {
    pub(crate) nodes: Arc<[Node; 2]>,
    pub(crate) primary: PostgresCluster,
    standby: Option<PostgresCluster>,
    pub(crate) switch: Switch,
    pub(crate) disk: Option<SmallDisk>,
    clients: Arc<Clients>,
    running: Vec<JoinHandle<()>>,
    bench: Bench,
    /// Name of the database.
    name: String,
    key: String,
    started: Instant,
}

impl World {
    /// `None`, said loudly, where no PostgreSQL server is installed.
    pub(crate) fn start() -> Option<Self> {
        let primary = PostgresCluster::start()?;
        let direct = primary.new_database();
        let name = direct.rsplit_once('/').expect("a name").1.to_owned();
        let standby = primary.standby();
        let switch = Switch::to(primary.port());
        let bench = Bench::new();
        let create = ["keys", "create", "--name", "chaos", "--require-session"];
        let create = [&create[..], &["--database", &direct]].concat();
        let key = bench.succeed(&create).trim().to_owned();
        let nodes: Arc<[Node; 2]> = Arc::new([(), ()].map(|()| Node {
            process: Mutex::default(),
            origin: Mutex::default(),
        }));
        let clients = Clients {
            nodes: Arc::clone(&nodes),
            key: key.clone(),
            photo: drawn::jpeg(320, 320),
            // No face is in it.
            verdict: (422, "051".to_owned()),
            books: Mutex::default(),
            wrong: Mutex::default(),
            judged: AtomicU64::default(),
            refused: AtomicU64::default(),
            unanswered: AtomicU64::default(),
            stop: AtomicBool::default(),
            turn: AtomicUsize::default(),
        };
        let mut world = Self {
            nodes,
            primary,
            standby,
            switch,
            disk: SmallDisk::mount(),
            clients: Arc::new(clients),
            running: Vec::new(),
            bench,
            name,
            key,
            started: Instant::now(),
        };
        world.start_node(0, &[]);
        world.start_node(1, &[]);
        for _ in 0..CLIENTS {
            let clients = Arc::clone(&world.clients);
            world.running.push(thread::spawn(move || clients.run()));
        }
        world.recovered("the start", Instant::now());
        Some(world)
    }

    /// Starts a node that was ended.
    pub(crate) fn start_node(&self, node: usize, more: &[(&str, &str)]) {
        let database = format!("postgres://livecheck@{}/{}", self.switch.address, self.name);
        let audit = match &self.disk {
            Some(disk) => shown(&disk.0.path().join(format!("audit{node}.log"))),
            None => format!("audit{node}.log"),
        };
        let mut settings = vec![
            ("LIVECHECK_DATABASE", database.as_str()),
            ("LIVECHECK_AUDIT_FILE", audit.as_str()),
            ("LIVECHECK_JUDGE_TIMEOUT", "20s"),
            ("LIVECHECK_SESSION_RATE", "0"),
        ];
        settings.extend(more);
        let process = Process::serving(&self.bench, &[], &settings, self.key.clone());
        let process = process.unwrap_or_else(|log| panic!("node {node}: {log}"));
        let place = &self.nodes[node];
        *place.origin.lock().expect("no panic") = process.origin.clone();
        *place.process() = Some(process);
    }

    pub(crate) fn stall_logs(&self, stalled: bool) {
        for node in self.nodes.iter() {
            node.process().as_ref().expect("it runs").stall_log(stalled);
        }
    }

    /// Photos that were judged, requests that were refused, and those that had no answer.
    pub(crate) fn counts(&self) -> [u64; 3] {
        let clients = &self.clients;
        [&clients.judged, &clients.refused, &clients.unanswered]
            .map(|count| count.load(Ordering::SeqCst))
    }

    /// Lets a fault happen; how long it took from its end until every node judged again. `None`: it can't
    /// be brought about here.
    pub(crate) fn suffer(
        &mut self,
        name: &str,
        fault: Fault,
        length: Duration,
    ) -> Option<Duration> {
        let happened = fault(self, length);
        let ended = Instant::now();
        happened.then(|| self.recovered(name, ended))
    }

    /// Waits until every node opens a session and judges a photo.
    fn recovered(&self, fault: &str, since: Instant) -> Duration {
        let agent = Clients::agent();
        for node in self.nodes.iter() {
            loop {
                let judged = self.clients.session(&agent, node).map(|token| {
                    let outcome = self.clients.judge(&agent, node, &token);
                    matches!(outcome, Outcome::Judged)
                });
                if judged == Some(true) {
                    break;
                }
                assert!(
                    since.elapsed() < GIVE_UP,
                    "a node does not recover: {fault}"
                );
                thread::sleep(PAUSE);
            }
        }
        since.elapsed()
    }

    /// The primary is lost once the standby has all that was acknowledged; the standby takes its place, and
    /// gets a standby of its own.
    pub(crate) fn fail_over(&mut self, length: Duration) -> bool {
        let Some(standby) = self.standby.take() else {
            left_out("a failover: there is no standby.");
            return false;
        };
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(self.primary.wait_for_standby());
        thread::sleep(length);
        self.primary.kill();
        runtime.block_on(standby.promote());
        self.switch.lead_to(standby.port());
        self.standby = standby.standby();
        self.primary = standby;
        true
    }

    /// Ends the load, and holds what the clients were told against what the database has counted.
    pub(crate) fn settle(mut self) -> String {
        self.clients.stop.store(true, Ordering::SeqCst);
        for client in self.running.drain(..) {
            client.join().expect("a client that goes on to the end");
        }
        let wrong = std::mem::take(&mut *self.clients.wrong.lock().expect("no panic"));
        assert!(wrong.is_empty(), "wrong answers: {wrong:#?}");
        let books = std::mem::take(&mut *self.clients.books.lock().expect("no panic"));
        let (sessions, judged): (usize, u32) =
            (books.len(), books.iter().map(|book| book.judged).sum());
        let address = format!(
            "postgres://livecheck@127.0.0.1:{}/{}",
            self.primary.port(),
            self.name
        );
        let mut lost = 0;
        Runtime::new().expect("a runtime").block_on(async {
            let store = livecheck_store::open(&address).await.expect("the store");
            let key = store.list_keys().await.expect("keys").remove(0);
            let now = SystemClock::new().now();
            for book in &books {
                let token = SessionToken::parse(&book.token).expect("a token").hash();
                let state = store.peek_session(&token, &key.id, now).await;
                let counted = match state.expect("the session") {
                    SessionState::Ready { remaining } => USES - remaining,
                    SessionState::Exhausted => USES,
                    SessionState::NotFound => panic!("a session of {} uses is gone", book.judged),
                };
                let given = book.judged..=book.judged + book.doubtful;
                assert!(
                    given.contains(&counted),
                    "the database has counted {counted} uses of a session, its client was given {given:?}"
                );
                lost += counted - book.judged;
            }
        });
        assert!(judged > 0 && sessions > 0);
        format!(
            "{judged} photos judged in {sessions} sessions within {:.0} s, each use counted; no wrong answer; \
             {lost} uses taken by requests that were refused or had no answer",
            self.started.elapsed().as_secs_f64()
        )
    }
}

/// A test that fails leaves clients that hold the nodes.
impl Drop for World {
    fn drop(&mut self) {
        self.clients.stop.store(true, Ordering::SeqCst);
        for node in self.nodes.iter() {
            let process = node.process.lock();
            drop(process.unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

/// A connection from one of this machine's addresses, `127.0.1.NUMBER`.
pub(crate) fn connect_from(number: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    thread_local!(static RUNTIME: Runtime = Runtime::new().expect("a runtime"));
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 1, number], 0)))?;
            let stream = socket.connect(to).await?.into_std()?;
            stream.set_nonblocking(false)?;
            Ok(stream)
        })
    })
}
