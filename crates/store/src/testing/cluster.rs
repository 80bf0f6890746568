//! A PostgreSQL server of one's own.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::folder::TempFolder;

/// Set to `1` to make missing PostgreSQL binaries a failure instead of a reason to leave tests out.
pub const REQUIRE_POSTGRES: &str = "LIVECHECK_REQUIRE_POSTGRES";
/// The folder with `initdb`, `postgres` and `createdb`, when they are not where they usually are.
pub const POSTGRES_BIN: &str = "LIVECHECK_POSTGRES_BIN";

/// Starts the server and stops it when the test's end of the pipe closes: also when the test was
/// killed, so that no server is ever left behind. Then removes the folder, unless told "keep".
const KEEPER: &str = r#"
    "$1/postgres" -D "$2/data" -k "$2" -p "$3" -c fsync="$4" >>"$2/log" 2>&1 &
    server=$!
    read -r word
    kill -INT $server 2>/dev/null
    wait $server
    [ "$word" = keep ] || rm -rf "$2"
"#;

/// A PostgreSQL server in a temporary folder on a free port of 127.0.0.1. Log-in needs no password.
#[derive(Debug)]
pub struct PostgresCluster {
    binaries: PathBuf,
    folder: TempFolder,
    user: Option<(u32, u32)>,
    port: u16,
    fsync: bool,
    keeper: Option<Child>,
    databases: AtomicU32,
}

impl PostgresCluster {
    /// Makes and starts a server. `None`, with a loud note, where PostgreSQL isn't installed.
    ///
    /// It doesn't wait for the disk (`fsync = off`): what it wrote survives its own death, which
    /// is all that tests can bring about, but not a power cut.
    ///
    /// # Panics
    ///
    /// When the server doesn't start, or isn't installed and [`REQUIRE_POSTGRES`] is `1`.
    pub fn start() -> Option<Self> {
        Self::with_fsync(false)
    }

    /// The same with every commit on the disk, as in production: for measurements.
    pub fn start_durable() -> Option<Self> {
        Self::with_fsync(true)
    }

    fn with_fsync(fsync: bool) -> Option<Self> {
        let Some(binaries) = find_binaries() else {
            let required = std::env::var(REQUIRE_POSTGRES).is_ok_and(|value| value == "1");
            assert!(
                !required,
                "PostgreSQL server binaries not found; install them or set {POSTGRES_BIN}"
            );
            // Past the test harness, which keeps `eprintln!` of passing tests to itself.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** LEFT OUT: PostgreSQL tests. The server binaries are not installed; \
                 set {POSTGRES_BIN} to their folder, or {REQUIRE_POSTGRES}=1 to make this a \
                 failure. ***\n"
            );
            return None;
        };
        let folder = TempFolder::new();
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
                .expect("root can give the folder away");
        }
        let mut cluster = Self {
            binaries,
            folder,
            user,
            port: 0,
            fsync,
            keeper: None,
            databases: AtomicU32::new(0),
        };
        let data = cluster.folder.path().join("data");
        cluster.run(
            "initdb",
            &[
                "--no-sync",
                "--auth=trust",
                "--username=livecheck",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
                data.to_str().expect("temporary paths are UTF-8"),
            ],
        );
        cluster.port = free_port();
        cluster.start_again();
        Some(cluster)
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Panics
    ///
    /// When the server isn't running.
    pub fn new_database(&self) -> String {
        let count = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test{count}");
        let port = self.port.to_string();
        self.run(
            "createdb",
            &["-h", "127.0.0.1", "-p", &port, "-U", "livecheck", &name],
        );
        format!("postgres://livecheck@127.0.0.1:{port}/{name}")
    }

    /// The port of 127.0.0.1 that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes and starts a standby that follows this server. `None`, with a loud note, where
    /// `pg_basebackup` isn't installed.
    ///
    /// # Panics
    ///
    /// When the standby can't be made or doesn't start.
    pub fn standby(&self) -> Option<Self> {
        if !self.binaries.join("pg_basebackup").is_file() {
            let _ = writeln!(
                std::io::stderr(),
                "\n*** LEFT OUT: a PostgreSQL standby. pg_basebackup is not installed. ***\n"
            );
            return None;
        }
        let folder = TempFolder::new();
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
                .expect("root can give the folder away");
        }
        let mut standby = Self {
            binaries: self.binaries.clone(),
            folder,
            user: self.user,
            port: free_port(),
            fsync: self.fsync,
            keeper: None,
            databases: AtomicU32::new(0),
        };
        let (data, port) = (standby.folder.path().join("data"), self.port.to_string());
        standby.run(
            "pg_basebackup",
            &[
                "--host=127.0.0.1",
                "--port",
                &port,
                "--username=livecheck",
                "--checkpoint=fast",
                "--wal-method=stream",
                "--write-recovery-conf",
                "--no-sync",
                "--pgdata",
                data.to_str().expect("temporary paths are UTF-8"),
            ],
        );
        standby.start_again();
        Some(standby)
    }

    /// From now on nothing is acknowledged that the standby has not; returns when it has all that was.
    ///
    /// # Panics
    ///
    /// When the server isn't running, or no standby follows it within two minutes.
    pub async fn wait_for_standby(&self) {
        use sqlx::Connection as _;
        let address = format!("postgres://livecheck@127.0.0.1:{}/postgres", self.port);
        let mut operator = sqlx::PgConnection::connect(&address)
            .await
            .expect("the primary answers");
        for statement in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ] {
            sqlx::query(statement)
                .execute(&mut operator)
                .await
                .expect("an operator may do this");
        }
        for _ in 0..1200 {
            let follows: bool = sqlx::query_scalar(
                "SELECT count(*) > 0 FROM pg_stat_replication \
                 WHERE sync_state = 'sync' AND flush_lsn >= pg_current_wal_flush_lsn()",
            )
            .fetch_one(&mut operator)
            .await
            .expect("the primary answers");
            if follows {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no standby follows");
    }

    /// Makes a standby the primary. Returns when it takes writes.
    pub async fn promote(&self) {
        use sqlx::Connection as _;
        let address = format!("postgres://livecheck@127.0.0.1:{}/postgres", self.port);
        let mut operator = sqlx::PgConnection::connect(&address)
            .await
            .expect("the standby answers");
        sqlx::query("SELECT pg_promote()")
            .execute(&mut operator)
            .await
            .expect("a standby can be promoted");
    }

    /// Ends the server and everyone's connections, in good order.
    pub fn stop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            if let Some(mut pipe) = keeper.stdin.take() {
                let _ = pipe.write_all(b"keep\n");
            }
            let _ = keeper.wait();
        }
    }

    /// Kills the server as a power cut would: no process of it gets to say goodbye.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.stop();
    }

    /// Halts every process of the server: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Undoes [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Starts the server after [`Self::stop`] or [`Self::kill`], on the same port and data.
    ///
    /// # Panics
    ///
    /// When it doesn't take connections within a minute.
    pub fn start_again(&mut self) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "livecheck-postgres"])
            .arg(&self.binaries)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .arg(if self.fsync { "on" } else { "off" })
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.as_user(&mut command);
        self.keeper = Some(command.spawn().expect("/bin/sh can be started"));
        for _ in 0..1200 {
            if self.is_ready() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log"));
        panic!("PostgreSQL didn't start: {log:?}");
    }

    fn is_ready(&self) -> bool {
        // The server writes this line of the file last, when connections are welcome.
        std::fs::read_to_string(self.pid_file()).is_ok_and(|text| {
            text.lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
        }) && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("data/postmaster.pid")
    }

    /// Sends a signal to the server and its children.
    fn signal(&self, signal: &str) {
        let text = std::fs::read_to_string(self.pid_file()).expect("the server is running");
        let server = text
            .lines()
            .next()
            .expect("the first line is the process id");
        let children = std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|pid| parent_of(pid).as_deref() == Some(server));
        // The parent first, so that it doesn't start new children.
        let pids: Vec<String> = std::iter::once(server.to_owned()).chain(children).collect();
        let _ = Command::new("kill")
            .args(["-s", signal])
            .args(pids)
            .stderr(Stdio::null())
            .status();
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.binaries.join(program));
        command.args(arguments).current_dir(self.folder.path());
        self.as_user(&mut command);
        let output = command
            .output()
            .expect("PostgreSQL's programs can be started");
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn as_user(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

fn parent_of(pid: &str) -> Option<String> {
    pid.parse::<u32>().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "PID (NAME) STATE PARENT …"; the name may hold anything, also brackets.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(1).map(str::to_owned)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port()
}

/// PostgreSQL refuses to run as root: whom to run it as then.
fn unprivileged_user() -> Option<(u32, u32)> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("there is a list of users");
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(wanted))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    })
}

fn find_binaries() -> Option<PathBuf> {
    let has_server = |folder: &PathBuf| {
        ["initdb", "postgres", "createdb"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    if let Some(folder) = std::env::var_os(POSTGRES_BIN) {
        return Some(PathBuf::from(folder)).filter(has_server);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter();
    folders.extend(
        versions
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin")),
    );
    folders.into_iter().find(has_server)
}
