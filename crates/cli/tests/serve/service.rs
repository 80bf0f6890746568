//! The binary as a running service.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::common::Bench;

/// A started service.
pub(crate) struct Service {
    child: Child,
    pub(crate) origin: String,
    pub(crate) key: String,
}

impl Service {
    /// The demonstration on a free port; reads key and address from what it prints.
    pub(crate) fn demonstration(bench: &Bench, settings: &[(&str, &str)]) -> Self {
        let mut child = bench
            .command(&[])
            .env("LIVECHECK_LISTEN", "127.0.0.1:0")
            .env("LIVECHECK_METRICS", "public")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut welcome = BufReader::new(child.stdout.take().expect("its output"));
        let mut key = None;
        let mut origin = None;
        while key.is_none() || origin.is_none() {
            let mut line = String::new();
            assert_ne!(
                welcome.read_line(&mut line).expect("text"),
                0,
                "it ended early"
            );
            let line = line.trim();
            if line.starts_with("lck_") {
                key = Some(line.to_owned());
            }
            if let Some((before, _)) = line.split_once("/demo#key=") {
                origin = Some(before.to_owned());
            }
        }
        // Keeps the pipe open and drained while the service lives.
        std::thread::spawn(move || welcome.read_to_end(&mut Vec::new()));
        let service = Self {
            child,
            origin: origin.expect("an address"),
            key: key.expect("a key"),
        };
        service.wait_until_ready();
        service
    }

    pub(crate) fn wait_until_ready(&self) {
        while ureq::get(format!("{}/readyz", self.origin)).call().is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Status and body of `POST /liveness/` with the image as a file part and these headers.
    pub(crate) fn judge_with(&self, headers: &[(&str, &str)], image: &[u8]) -> (u16, Value) {
        let boundary = "livecheck-test-boundary";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"selfie\"\r\n\r\n"
        )
        .into_bytes();
        body.extend(image);
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        self.post_with(headers, &content_type, &body)
    }

    /// The same with a body of any kind.
    pub(crate) fn post_with(
        &self,
        headers: &[(&str, &str)],
        content_type: &str,
        body: &[u8],
    ) -> (u16, Value) {
        let mut request = ureq::post(format!("{}/liveness/", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request
            .config()
            .http_status_as_error(false)
            .build()
            .content_type(content_type)
            .send(body)
            .expect("an answer");
        let body = response.body_mut().read_to_string().expect("text");
        (
            response.status().as_u16(),
            serde_json::from_str(&body).expect("JSON"),
        )
    }

    /// The same with a key alone.
    pub(crate) fn judge(&self, key: &str, image: &[u8]) -> (u16, Value) {
        self.judge_with(&[("x-api-key", key)], image)
    }

    /// Status and answer of a body of any kind, with the key.
    pub(crate) fn post(&self, content_type: &str, body: &[u8]) -> (u16, Value) {
        self.post_with(&[("x-api-key", &self.key)], content_type, body)
    }

    /// The value of a metric without labels.
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

    /// The most resident memory that it ever had, KiB, where the system tells.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        self.memory_kib("VmHWM:")
    }

    /// Its resident memory now, KiB, where the system tells.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        self.memory_kib("VmRSS:")
    }

    fn memory_kib(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// How many files it has open, where the system tells.
    pub(crate) fn open_files(&self) -> Option<usize> {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        Some(files.count())
    }

    /// A bare connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let (_, address) = self.origin.split_once("//").expect("an address");
        TcpStream::connect(address).expect("it listens")
    }

    /// SIGTERM, and whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(killed.expect("kill").success());
        self.child.wait().expect("an end").success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
