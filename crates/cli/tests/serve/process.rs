//! `livecheck serve` as a process whose log is read, started under limits or a tracer where a test
//! wants one.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its own part of these helpers"
)]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::common::Bench;

/// A started service.
pub(crate) struct Process {
    child: Child,
    pub(crate) origin: String,
    pub(crate) key: String,
    log: Arc<Mutex<String>>,
    stalled: Arc<AtomicBool>,
}

/// A wrapper for [`Process::serving`] under which the shell has set limits first. The process id
/// stays the service's.
pub(crate) fn under_shell(limits: &str) -> [String; 3] {
    let run = format!("{limits}; exec \"$0\" \"$@\"");
    ["sh".to_owned(), "-c".to_owned(), run]
}

impl Process {
    /// `livecheck serve` on a free port with these settings, started by `wrapper` (none: by itself),
    /// with a key made for it. `Err`: it ended before it was ready, and said this.
    pub(crate) fn serving(
        bench: &Bench,
        wrapper: &[String],
        settings: &[(&str, &str)],
        key: String,
    ) -> Result<Self, String> {
        let plain = bench.command(&["serve"]);
        let mut command = match wrapper {
            [] => plain,
            [program, arguments @ ..] => {
                let mut wrapped = Command::new(program);
                wrapped.args(arguments).arg(plain.get_program());
                wrapped.args(plain.get_args());
                wrapped.current_dir(bench.folder.path());
                for (name, _) in plain.get_envs() {
                    wrapped.env_remove(name);
                }
                wrapped
            }
        };
        let mut child = command
            .env("LIVECHECK_LISTEN", "127.0.0.1:0")
            .env("LIVECHECK_LOG_FORMAT", "json")
            .env("LIVECHECK_METRICS", "public")
            .env("LIVECHECK_VERSION", "public")
            // However slow a busy machine, or a tracer, makes it.
            .env("LIVECHECK_JUDGE_TIMEOUT", "1h")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its log"));
        let mut heard = String::new();
        let origin = loop {
            let start = heard.len();
            if lines.read_line(&mut heard).expect("text") == 0 {
                child.wait().expect("an end");
                return Err(heard);
            }
            if let Ok(event) = serde_json::from_str::<Value>(&heard[start..])
                && event["message"] == "listening"
            {
                break format!("http://{}", event["address"].as_str().expect("an address"));
            }
        };
        let log = Arc::new(Mutex::new(heard));
        let copy = Arc::clone(&log);
        let stalled = Arc::new(AtomicBool::new(false));
        let waits = Arc::clone(&stalled);
        thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                copy.lock().expect("no panic").push_str(&line);
                line.clear();
                while waits.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        let mut service = Self {
            child,
            origin,
            key,
            log,
            stalled,
        };
        let ready = format!("{}/readyz", service.origin);
        while ureq::get(&ready).call().is_err() {
            if service.child.try_wait().expect("its state").is_some() {
                return Err(service.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(service)
    }

    /// From now on nobody reads its log, but the pipe stays open; `false`: it is read again.
    pub(crate) fn stall_log(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    /// The value of a metric, by its name and labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = ureq::get(format!("{}/metrics", self.origin))
            .call()
            .expect("metrics")
            .body_mut()
            .read_to_string()
            .expect("text");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
            .parse()
            .expect("a number")
    }

    /// Whether it has ended by itself within the time.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        let pause = Duration::from_millis(20);
        for _ in 0..limit.as_millis() / pause.as_millis() {
            if self.child.try_wait().expect("its state").is_some() {
                return true;
            }
            thread::sleep(pause);
        }
        false
    }

    /// What it has logged so far (with [`Process::serving`]).
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, as the out-of-memory killer sends it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("an end");
    }

    /// SIGTERM, without waiting.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(killed.expect("kill").success());
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("an end")
    }

    /// Status and body of `POST /liveness/` with the image as a file part and these headers.
    pub(crate) fn judge_with(&self, headers: &[(&str, &str)], image: &[u8]) -> (u16, Value) {
        self.judge_at("", headers, image)
    }

    /// The same with a query (`?…`).
    pub(crate) fn judge_at(
        &self,
        query: &str,
        headers: &[(&str, &str)],
        image: &[u8],
    ) -> (u16, Value) {
        let (content_type, body) = form(image);
        self.post(query, headers, &content_type, &body)
            .expect("an answer")
    }

    /// The same; `None`: no answer came.
    pub(crate) fn try_judge(&self, headers: &[(&str, &str)], image: &[u8]) -> Option<(u16, Value)> {
        let (content_type, body) = form(image);
        self.post("", headers, &content_type, &body)
    }

    /// Any body with a key, whatever comes of it.
    pub(crate) fn send(&self, content_type: &str, key: &str, body: &[u8]) {
        let answer = self.post("", &[("x-api-key", key)], content_type, body);
        assert!(answer.is_some());
    }

    fn post(
        &self,
        query: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: &[u8],
    ) -> Option<(u16, Value)> {
        let mut request = ureq::post(format!("{}/liveness/{query}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request
            .config()
            .http_status_as_error(false)
            .build()
            .content_type(content_type)
            .send(body)
            .ok()?;
        let body = response.body_mut().read_to_string().ok()?;
        Some((
            response.status().as_u16(),
            serde_json::from_str(&body).expect("JSON"),
        ))
    }

    /// A session token of the key.
    pub(crate) fn session(&self) -> String {
        let mut response = ureq::get(format!("{}/session/", self.origin))
            .header("x-api-key", &self.key)
            .call()
            .expect("a session");
        let body = response.body_mut().read_to_string().expect("text");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["session_token"].as_str().expect("a token").to_owned()
    }

    /// The same with a key alone.
    pub(crate) fn judge(&self, key: &str, image: &[u8]) -> (u16, Value) {
        self.judge_with(&[("x-api-key", key)], image)
    }

    /// SIGTERM, and whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.terminate();
        self.ended().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stall_log(false);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Content type and body of a form with the image as a file part.
fn form(image: &[u8]) -> (String, Vec<u8>) {
    let boundary = "livecheck-test-boundary";
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"selfie\"\r\n\r\n"
    )
    .into_bytes();
    body.extend(image);
    body.extend(format!("\r\n--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
