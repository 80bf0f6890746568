//! The built binary as a running service, and the tests that drive it from outside.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// The command that sends what the OpenAPI document allows, and what it does not, to a running service:
/// [Schemathesis](https://schemathesis.readthedocs.io) finds no answer that the document lacks.
pub(crate) fn openapi_holds(binary: &Path, schemathesis: &Path) -> Result<(Command, Service)> {
    let service = Service::start(binary, &[], None)?;
    let mut command = Command::new(schemathesis);
    command
        .arg("run")
        .arg(format!("{}/openapi.json", service.origin))
        .arg("--header")
        .arg(format!("x-api-key: {}", service.key))
        // No schema can say "a readable photo with one face", so valid requests may be refused.
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance",
        ])
        .args(["--max-examples", "25", "--seed", "1"])
        .args(["--request-timeout", "30", "--no-color"]);
    Ok((command, service))
}

/// A demonstration on a free port with a database of its own; ends with this value.
pub(crate) struct Service {
    pub(crate) child: Child,
    folder: PathBuf,
    pub(crate) origin: String,
    pub(crate) key: String,
}

impl Service {
    /// Starts it with these variables in its environment, on these processors (`None`: on all).
    pub(crate) fn start(
        binary: &Path,
        settings: &[(String, String)],
        cores: Option<&str>,
    ) -> Result<Self> {
        // The service runs in a folder of its own.
        let binary = &binary
            .canonicalize()
            .with_context(|| format!("{} is not there", binary.display()))?;
        let folder = env::temp_dir().join(format!("livecheck-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut command = match cores {
            None => Command::new(binary),
            // It becomes the program, whose process number it keeps.
            Some(cores) => {
                let mut bound = Command::new("taskset");
                bound.args(["--cpu-list", cores]).arg(binary);
                bound
            }
        };
        let mut child = command
            .current_dir(&folder)
            .env("LIVECHECK_LISTEN", "127.0.0.1:0")
            .env("LIVECHECK_LOG_LEVEL", "warn")
            .env("LIVECHECK_METRICS", "public")
            .env("LIVECHECK_VERSION", "public")
            // Those who drive it stand for many clients, each with an address of its own.
            .env("LIVECHECK_MAX_CONNECTIONS_PER_ADDRESS", "0")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            // Those who drive it try wrong keys by the hundred, and each must get its 001.
            .env("LIVECHECK_FAILED_KEY_RATE", "0")
            .env("LIVECHECK_FAILED_TOKEN_RATE", "0")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut welcome = BufReader::new(child.stdout.take().context("no output")?);
        let (mut key, mut origin) = (None, None);
        while key.is_none() || origin.is_none() {
            let mut line = String::new();
            if welcome.read_line(&mut line)? == 0 {
                bail!("{} ended before it was ready", binary.display());
            }
            let line = line.trim();
            if line.starts_with("lck_") {
                key = Some(line.to_owned());
            } else if let Some((before, _)) = line.split_once("/demo#key=") {
                origin = Some(before.to_owned());
            }
        }
        // Keeps the pipe open and drained while the service lives.
        std::thread::spawn(move || welcome.read_to_end(&mut Vec::new()));
        let service = Self {
            child,
            folder,
            origin: origin.unwrap_or_default(),
            key: key.unwrap_or_default(),
        };
        service.wait_until_ready(binary)?;
        Ok(service)
    }

    fn wait_until_ready(&self, binary: &Path) -> Result<()> {
        for _ in 0..600 {
            let ready = Command::new(binary)
                .args(["healthcheck", &format!("{}/readyz", self.origin)])
                .output()?;
            if ready.status.success() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        bail!("{} was not ready within a minute", self.origin)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
