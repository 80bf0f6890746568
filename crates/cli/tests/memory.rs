//! The memory that settings allow, against the limits of control groups: of the shipped configurations,
//! and of the group that the process is in.

#[expect(dead_code, reason = "not every test file uses all of it")]
mod common;
#[path = "serve/process.rs"]
mod process;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use common::Bench;
use livecheck_server::ServerConfig;
use process::{Process, under_shell};

const MIB: u64 = 1024 * 1024;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The value after the last of these words, each sought behind the one before.
fn after<'t>(text: &'t str, words: &[&str]) -> Option<&'t str> {
    let mut rest = text;
    for word in words {
        rest = &rest[rest.find(word)? + word.len()..];
    }
    rest.lines()
        .next()
        .map(|value| value.trim().trim_matches('"'))
}

/// Bytes of `2560Mi` or `2560m`.
fn bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "Mi" | "m" => MIB,
        "Gi" | "g" => 1024 * MIB,
        other => panic!("the unit {other} of {text}"),
    };
    digits.parse::<u64>().expect("a number") * unit
}

/// Limit and settings of the Kubernetes manifests.
fn kubernetes() -> (u64, usize, ServerConfig) {
    let base = deploy().join("kubernetes/base");
    let text = fs::read_to_string(base.join("deployment.yaml")).expect("the manifest");
    let limit = after(&text, &["limits:", "memory:"]).expect("a limit");
    let cores = after(&text, &["limits:", "cpu:"]).expect("cores");
    let settings = base.join("livecheck.toml");
    let config = ServerConfig::load(Some(&settings), [], []).expect("its settings");
    (bytes(limit), cores.parse().expect("a number"), config)
}

/// Limit and settings of the Helm chart's values.
fn helm() -> (u64, usize, ServerConfig) {
    let text = fs::read_to_string(deploy().join("helm/livecheck/values.yaml")).expect("the values");
    let limit = after(&text, &["limits:", "memory:"]).expect("a limit");
    let cores = after(&text, &["limits:", "cpu:"]).expect("cores");
    let settings = text.lines().skip_while(|line| *line != "settings:").skip(1);
    let variables = settings
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let known = !name.starts_with('#');
            known.then(|| {
                (
                    format!("LIVECHECK_{}", name.to_uppercase()),
                    value.to_owned(),
                )
            })
        });
    let config = ServerConfig::load(None, variables, []).expect("its settings");
    (bytes(limit), cores.parse().expect("a number"), config)
}

#[test]
fn every_shipped_configuration_gives_the_memory_that_its_settings_may_need() {
    let (limit, cores, config) = kubernetes();
    let mut checked = vec![("kubernetes", limit, cores, config)];
    let (limit, cores, config) = helm();
    checked.push(("helm", limit, cores, config));
    for name in ["single", "cluster"] {
        let file = deploy().join(format!("compose/{name}.yaml"));
        let text = fs::read_to_string(file).expect("the composition");
        let limit = after(&text, &["mem_limit:"]).expect("a limit");
        let cores = after(&text, &["cpus:"]).expect("cores");
        let variables = text.lines().filter_map(|line| {
            let (variable, value) = line.trim().split_once(": ")?;
            let known = variable.starts_with("LIVECHECK_") && !variable.ends_with("DATABASE");
            known.then(|| (variable.to_owned(), value.trim_matches('"').to_owned()))
        });
        let config = ServerConfig::load(None, variables, []).expect("its settings");
        checked.push((name, bytes(limit), cores.parse().expect("a number"), config));
    }
    for (name, limit, cores, config) in &checked {
        let bound = config.memory_bound(*cores);
        assert!(
            bound.total() <= *limit,
            "{name}: {bound} in {} MiB",
            limit / MIB
        );
    }
    // No file sets a limit that is not checked above.
    let with_limits = files(&deploy()).into_iter().filter(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let limits = ["mem_limit:", "MemoryMax=", "MemoryHigh="];
        limits.iter().any(|limit| text.contains(limit))
            || (text.contains("limits:") && text.contains("memory:"))
    });
    assert_eq!(with_limits.count(), checked.len());
}

/// A control group with a memory limit, gone when the test ends; `None`, said loudly, where none can be
/// made.
struct Group(PathBuf);

impl Group {
    fn with_limit(test: &str, limit: u64) -> Option<Self> {
        for (root, file) in [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ] {
            let name = format!("livecheck-test-{test}-{}", std::process::id());
            let group = Path::new(root).join(name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let group = Self(group);
            let set = |file: &str, value: &str| fs::write(group.0.join(file), value).is_ok();
            // Without it the kernel would move pages there instead.
            set("memory.swap.max", "0");
            if group.0.join(file).exists() && set(file, &limit.to_string()) {
                return Some(group);
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "\n*** LEFT OUT: {test}: no control group can be made here. ***\n"
        );
        None
    }

    /// A wrapper for a program that is to run in it.
    fn wrapper(&self) -> [String; 3] {
        under_shell(&format!("echo $$ > {}/cgroup.procs", self.0.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_limit_below_the_bound_is_warned_about() {
    let Some(group) = Group::with_limit("warned", 700 * MIB) else {
        return;
    };
    let bench = Bench::new();
    let key = bench.succeed(&["keys", "create", "--name", "shop"]);
    let doctor = |settings: &[(&str, &str)]| {
        let [shell, run, script] = group.wrapper();
        let plain = bench.command(&["doctor", "--listen", "127.0.0.1:0"]);
        let mut command = common::without_settings(shell);
        let output = command
            .args([run, script])
            .arg(plain.get_program())
            .args(plain.get_args())
            .current_dir(bench.folder.path())
            .envs(settings.iter().copied())
            .output();
        common::text(&output.expect("it runs").stdout)
    };
    let two = [("LIVECHECK_WORKERS", "1")];
    let found = doctor(&two);
    let warning = "at most 1768 MiB (200 at rest, 768 for each of 1 workers, 512 upload_memory, 32 for answers, 256 for connections) may be needed, but the control group allows 700 MiB";
    assert!(
        found.contains("warn  memory") && found.contains(warning),
        "{found}"
    );
    let small = [
        ("LIVECHECK_WORKERS", "1"),
        ("LIVECHECK_MAX_PIXELS", "16000000"),
        ("LIVECHECK_UPLOAD_MEMORY", "67108864"),
        ("LIVECHECK_MAX_CONNECTIONS", "128"),
    ];
    let found = doctor(&small);
    assert!(found.contains("ok    memory: at most"), "{found}");

    let service = Process::serving(&bench, &group.wrapper(), &two, key.trim().to_owned());
    let service = service.expect("it starts");
    assert!(service.log().contains(warning), "{}", service.log());
    assert!(service.stop());
}
