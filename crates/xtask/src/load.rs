//! Load, endurance and abusive clients against a running service on this machine, each for a bounded
//! time, and every response compared with what was sent. The measured figures are in
//! `docs/evidence/RELIABILITY.md`.

mod abuse;
mod binary;
mod client;
mod process;
mod requests;
mod target;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{console::run, service::Service, workspace::cargo};
use client::{Answer, Connection};
use requests::{Request, Requests, is_refusal};
use target::{Latencies, Target};

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// Offer 1, 2 and 10 times the capacity of the service; compare every response with what was sent.
    Load {
        #[command(flatten)]
        options: Options,
        /// How long each load lasts.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Keep the service busy and check that memory and open files do not grow.
    Soak {
        #[command(flatten)]
        options: Options,
        /// How long.
        #[arg(long, default_value_t = 15)]
        minutes: u64,
    },
    /// Time an honest client next to abusive ones: slow, silent, pipelining, flooding, disconnecting, not reading, and
    /// those that take all connections or, on HTTP/2, all memory.
    #[command(alias = "rude")]
    Abuse {
        #[command(flatten)]
        options: Options,
        /// How long each kind lasts.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
    },
    /// Kill, halt, slow and fail over two nodes and their database under load, fill the disk, move the
    /// clock, stall the logs and flood with connections; hold what was counted against what was given.
    Chaos {
        /// The program; without it an optimised build is made.
        #[arg(long)]
        binary: Option<PathBuf>,
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Send HTTP/2 frames that no honest client sends.
    Frames {
        /// The program; without it an optimised build is made.
        #[arg(long)]
        binary: Option<PathBuf>,
        /// How long.
        #[arg(long, default_value_t = 20)]
        minutes: u64,
        /// What the frames are made from: the same for the same number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

impl Task {
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::Load { options, seconds } => load(options, *seconds),
            Self::Soak { options, minutes } => soak(options, *minutes),
            Self::Abuse { options, seconds } => abuse(options, *seconds),
            Self::Chaos { binary, minutes } => test_of_chaos(
                "a_bad_night",
                binary.as_deref(),
                &[("LIVECHECK_CHAOS_MINUTES", *minutes)],
            ),
            Self::Frames {
                binary,
                minutes,
                seed,
            } => test_of_chaos(
                "frames_that_no_client_sends",
                binary.as_deref(),
                &[
                    ("LIVECHECK_FRAMES_MINUTES", *minutes),
                    ("LIVECHECK_FRAMES_SEED", *seed),
                ],
            ),
        }
    }
}

/// Runs a test of `crates/cli/tests/chaos.rs` for longer than every run of the tests does.
fn test_of_chaos(name: &str, binary: Option<&Path>, settings: &[(&str, u64)]) -> Result<()> {
    let binary = match binary {
        Some(binary) => binary
            .canonicalize()
            .with_context(|| format!("{} is not there", binary.display()))?,
        None => binary::release_binary()?,
    };
    println!("service: {}", binary::describe(&binary)?);
    let settings = settings
        .iter()
        .map(|(name, value)| (name, value.to_string()));
    run(cargo()
        .args(["test", "--workspace", "--test", "chaos", name])
        .args(["--", "--nocapture"])
        .env("LIVECHECK_BINARY", binary)
        .envs(settings))
}

/// How the service is started.
#[derive(Args)]
pub(crate) struct Options {
    /// The program to load; without it an optimised build is made.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Settings of the service, such as `queue=16`; may be given more than once.
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    settings: Vec<String>,
    /// Processors that the service is bound to, such as `0` or `0,2-3` (by `taskset`, which must be
    /// installed); it then has as many judging threads. Bind this command to others.
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
}

impl Options {
    /// Processors that the service has.
    fn cores(&self) -> Result<usize> {
        let Some(list) = &self.cores else {
            return Ok(std::thread::available_parallelism()?.get());
        };
        let mut count = 0;
        for part in list.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse()?, last.parse()?);
            count += (last + 1).saturating_sub(first);
        }
        Ok(count)
    }

    /// The setting in force, seconds.
    fn queue_wait(&self) -> Result<f64> {
        let set = self.settings.iter().rev();
        let mut set = set.filter_map(|setting| setting.strip_prefix("queue_wait="));
        set.next().map_or(Ok(QUEUE_WAIT), |text| {
            text.trim_end_matches('s')
                .parse()
                .with_context(|| format!("queue_wait={text}: give whole seconds here"))
        })
    }
}

/// Loads, as multiples of what the service can do.
const LOADS: [f64; 3] = [1.0, 2.0, 10.0];

/// The setting `queue_wait` where none is given, seconds.
const QUEUE_WAIT: f64 = 1.0;

/// How many times `queue_wait` the 99th percentile of accepted requests may be, whatever the load: the
/// wait is reckoned from the time per photo, which varies.
const MOST_WAITS: f64 = 2.0;

/// That percentile also covers the time of some photos themselves.
const ROUNDING_PHOTOS: f64 = 10.0;

/// Requests sent at once for each processor, in a burst.
const BURST_PER_CORE: usize = 20;

/// Most requests under way at once; a server that answers at once never sees as many.
const MOST_UNDER_WAY: usize = 2000;

/// How long an answer may take before the client gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections that find out what the service can do.
const CAPACITY_CONNECTIONS: usize = 4;

/// How long such a connection waits when it is turned away.
const AFTER_REFUSAL: Duration = Duration::from_millis(20);

/// Load of the endurance run, as a share of capacity: busy, and nothing is turned away for long.
const SOAK_LOAD: f64 = 0.8;

/// How often memory and open files are looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// Most growth of the resident memory over the second half of an endurance run, KiB: what an
/// allocator's arenas move by.
const SOAK_GROWTH_KIB: u64 = 16 * 1024;

/// Measures capacity, then offers 1, 2 and 10 times as much for `seconds` each.
fn load(options: &Options, seconds: u64) -> Result<()> {
    with_service(options, async |target| {
        let requests = Requests::new(target).await?;
        println!("photos: {}", requests.source);
        let capacity = capacity(target, &requests, seconds).await?;
        println!("capacity: {capacity:.1} photos a second\n");
        let burst = burst(target, &requests, options.cores()?).await?;
        println!("at once  {burst}");
        sleep(Duration::from_secs(2)).await;
        let mut outcomes = Vec::new();
        for load in LOADS {
            let outcome = offer(target, &requests, load * capacity, seconds).await?;
            println!("{load:>4}x  {outcome}");
            outcomes.push(outcome);
            // What is still queued does not count for the next.
            sleep(Duration::from_secs(2)).await;
        }
        for outcome in outcomes.iter().chain([&burst]) {
            outcome.must_be_true()?;
        }
        let [first, .., last] = outcomes.as_slice() else {
            bail!("no outcomes");
        };
        let (p99, most) = (
            last.accepted.percentile(99.0),
            MOST_WAITS * options.queue_wait()? + ROUNDING_PHOTOS / capacity,
        );
        println!(
            "\np99 of accepted requests at {}x over {}x: {:.2}",
            LOADS[2],
            LOADS[0],
            p99 / first.accepted.percentile(99.0)
        );
        if p99 > most {
            bail!(
                "p99 at {}x is {p99:.2} s; {most:.2} s are allowed",
                LOADS[2]
            );
        }
        Ok(())
    })
}

/// A steady load for `minutes`: memory and open files must not grow.
fn soak(options: &Options, minutes: u64) -> Result<()> {
    with_service(options, async |target| {
        let requests = Requests::new(target).await?;
        println!("photos: {}", requests.source);
        let capacity = capacity(target, &requests, 10).await?;
        println!(
            "capacity: {capacity:.1} photos a second, load {SOAK_LOAD} of it, {minutes} minutes"
        );
        let outcome = offer(target, &requests, SOAK_LOAD * capacity, minutes * 60).await?;
        println!("{outcome}");
        outcome.must_be_true()?;
        let usage = &outcome.usage;
        let half = &usage[usage.len() / 2..];
        let quarter = half.len() / 2;
        let most = |samples: &[process::Usage]| {
            let resident = samples.iter().map(|sample| sample.resident_kib).max();
            let files = samples.iter().map(|sample| sample.files).max();
            (resident.unwrap_or_default(), files.unwrap_or_default())
        };
        let (before, after) = (most(&half[..quarter]), most(&half[quarter..]));
        println!(
            "third quarter: {} MiB, {} files at most; fourth: {} MiB, {} files",
            before.0 / 1024,
            before.1,
            after.0 / 1024,
            after.1
        );
        if after.0 > before.0 + SOAK_GROWTH_KIB {
            bail!("memory grows");
        }
        if after.1 > before.1 + before.1 / 2 {
            bail!("open files grow");
        }
        Ok(())
    })
}

/// Abusive clients for `seconds` each, and an honest one next to them.
fn abuse(options: &Options, seconds: u64) -> Result<()> {
    with_service(options, async |target| abuse::all(target, seconds).await)
}

fn with_service(options: &Options, run: impl AsyncFnOnce(&Target) -> Result<()>) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => binary::release_binary()?,
    };
    let settings = options
        .settings
        .iter()
        .map(|setting| {
            let (name, value) = setting
                .split_once('=')
                .with_context(|| format!("{setting:?} is no SETTING=VALUE"))?;
            Ok((
                format!("LIVECHECK_{}", name.to_uppercase()),
                value.to_owned(),
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let service = Service::start(Path::new(&binary), &settings, options.cores.as_deref())?;
    println!("service: {}", binary::describe(&binary)?);
    println!(
        "settings: {}; processors: {}; {}",
        match options.settings.as_slice() {
            [] => "defaults".to_owned(),
            given => given.join(" "),
        },
        options.cores.as_deref().unwrap_or("all"),
        process::machine_load()?
    );
    let (_, address) = service.origin.split_once("//").context("no address")?;
    let target = Target {
        address: address.parse()?,
        key: service.key.clone(),
        pid: service.child.id(),
    };
    // One thread: the generator shares the machine with what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, run(&target))
}

/// As many photos at once as `cores` should answer within `queue_wait`.
async fn burst(target: &Target, requests: &Requests, cores: usize) -> Result<Outcome> {
    let outcome = Rc::new(RefCell::new(Outcome::default()));
    let mut under_way = JoinSet::new();
    let started = Instant::now();
    for number in 0..cores * BURST_PER_CORE {
        let request = requests.photos[number % requests.photos.len()].clone();
        let (outcome, address) = (Rc::clone(&outcome), target.address);
        under_way.spawn_local(async move {
            let idle = RefCell::default();
            let answer = ask(address, &idle, &request.bytes).await;
            let answer = answer.map_err(|error| error.to_string());
            let took = started.elapsed().as_secs_f64();
            outcome.borrow_mut().add(&request, took, answer);
        });
    }
    while under_way.join_next().await.is_some() {}
    let mut outcome = outcome.take();
    outcome.offered = cores * BURST_PER_CORE;
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome.usage.push(process::usage(target.pid)?);
    Ok(outcome)
}

/// Photos a second that a few connections get through, each sending as soon as it has an answer.
async fn capacity(target: &Target, requests: &Requests, seconds: u64) -> Result<f64> {
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds);
    let mut connections = JoinSet::new();
    for first in 0..CAPACITY_CONNECTIONS {
        let photos = requests.photos.clone();
        let address = target.address;
        connections.spawn_local(async move {
            let mut connection = Connection::open(address).await?;
            let mut judged = 0.0;
            let mut number = first;
            while Instant::now() < end {
                let request = &photos[number % photos.len()];
                let (answer, kept) = connection.exchange(&request.bytes).await?;
                if request.fits(&answer) {
                    judged += 1.0;
                    number += CAPACITY_CONNECTIONS;
                } else if is_refusal(&answer) {
                    // One thread has fewer places than there are connections.
                    sleep(AFTER_REFUSAL).await;
                } else {
                    bail!("{} gets {answer:?} under light load", request.name);
                }
                connection = match kept {
                    Some(connection) => connection,
                    None => Connection::open(address).await?,
                };
            }
            Ok(judged)
        });
    }
    let mut judged = 0.0;
    while let Some(outcome) = connections.join_next().await {
        judged += outcome??;
    }
    Ok(judged / started.elapsed().as_secs_f64())
}

/// What came of a load.
#[derive(Default)]
struct Outcome {
    offered: usize,
    seconds: f64,
    /// Photos that were judged.
    accepted: Latencies,
    /// 503 with `005` and `Retry-After`.
    refused: Latencies,
    /// Wrong requests that got the answer they deserve.
    corrected: usize,
    /// Answers that are not true, by what they are.
    incorrect: BTreeMap<String, usize>,
    /// Requests without an answer, by what happened.
    lost: BTreeMap<String, usize>,
    /// Requests that were not sent, since too many were under way.
    unsent: usize,
    usage: Vec<process::Usage>,
}

impl Outcome {
    fn add(&mut self, request: &Request, took: f64, answer: Result<Answer, String>) {
        match answer {
            Ok(answer) if request.fits(&answer) && request.judged => self.accepted.0.push(took),
            Ok(answer) if request.fits(&answer) => self.corrected += 1,
            Ok(answer) if is_refusal(&answer) => self.refused.0.push(took),
            Ok(answer) => {
                let text = format!("{} gets {} {}", request.name, answer.status, answer.code);
                *self.incorrect.entry(text).or_default() += 1;
            }
            Err(error) => *self.lost.entry(error).or_default() += 1,
        }
    }

    /// That every request was sent and answered with the truth.
    fn must_be_true(&self) -> Result<()> {
        if !self.incorrect.is_empty() || !self.lost.is_empty() || self.unsent > 0 {
            bail!(
                "incorrect {:?}, lost {:?}, not sent {}",
                self.incorrect,
                self.lost,
                self.unsent
            );
        }
        Ok(())
    }
}

impl std::fmt::Display for Outcome {
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |latencies: &Latencies, percent| 1e3 * latencies.percentile(percent);
        let files: Vec<usize> = self.usage.iter().map(|usage| usage.files).collect();
        let resident: Vec<u64> = self
            .usage
            .iter()
            .map(|usage| usage.resident_kib / 1024)
            .collect();
        let peak = self.usage.iter().map(|usage| usage.peak_kib / 1024).max();
        write!(
            f,
            "offered {:.1}/s ({}), judged {:.1}/s ({}): p50 {:.0} ms, p99 {:.0} ms; refused {} = {:.1} % \
             (p50 {:.1} ms, p99 {:.1} ms); invalid ones answered {}; incorrect {}; lost {}; not sent {}; \
             resident {}-{} MiB (peak {}); files {}-{}",
            self.offered as f64 / self.seconds,
            self.offered,
            self.accepted.0.len() as f64 / self.seconds,
            self.accepted.0.len(),
            milliseconds(&self.accepted, 50.0),
            milliseconds(&self.accepted, 99.0),
            self.refused.0.len(),
            100.0 * self.refused.0.len() as f64
                / (self.refused.0.len() + self.accepted.0.len()).max(1) as f64,
            milliseconds(&self.refused, 50.0),
            milliseconds(&self.refused, 99.0),
            self.corrected,
            self.incorrect.values().sum::<usize>(),
            self.lost.values().sum::<usize>(),
            self.unsent,
            resident.iter().min().unwrap_or(&0),
            resident.iter().max().unwrap_or(&0),
            peak.unwrap_or_default(),
            files.iter().min().unwrap_or(&0),
            files.iter().max().unwrap_or(&0),
        )
    }
}

/// Offers `rate` photos a second, and wrong requests among them, whatever becomes of them: a request is sent when it is due, and
/// its time counts from then on.
async fn offer(target: &Target, requests: &Requests, rate: f64, seconds: u64) -> Result<Outcome> {
    let rate = rate * requests.per_photo();
    let outcome = Rc::new(RefCell::new(Outcome::default()));
    let idle: Rc<RefCell<Vec<Connection>>> = Rc::default();
    let mut under_way = JoinSet::new();
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds);
    let mut sample_at = started;
    let mut due = started;
    let mut number = 0;
    while due < end {
        sleep_until(due).await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() < MOST_UNDER_WAY {
            let request = requests.get(number);
            let (idle, outcome, address) = (Rc::clone(&idle), Rc::clone(&outcome), target.address);
            under_way.spawn_local(async move {
                let answer = timeout(PATIENCE, ask(address, &idle, &request.bytes)).await;
                let answer = match answer {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("no answer in time".to_owned()),
                };
                let took = due.elapsed().as_secs_f64();
                outcome.borrow_mut().add(&request, took, answer);
            });
        } else {
            outcome.borrow_mut().unsent += 1;
        }
        if due >= sample_at {
            outcome.borrow_mut().usage.push(process::usage(target.pid)?);
            sample_at += SAMPLE_EVERY;
        }
        number += 1;
        due = started + Duration::from_secs_f64(f64::from(u32::try_from(number)?) / rate);
    }
    let offering = started.elapsed().as_secs_f64();
    while under_way.join_next().await.is_some() {}
    let mut outcome = outcome.take();
    outcome.offered = number;
    outcome.seconds = offering;
    outcome.usage.push(process::usage(target.pid)?);
    Ok(outcome)
}

/// One request on a kept connection, or on a new one where there is none.
async fn ask(
    address: SocketAddr,
    idle: &RefCell<Vec<Connection>>,
    request: &[u8],
) -> std::io::Result<Answer> {
    let kept = idle.borrow_mut().pop();
    let connection = match kept {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let (answer, kept) = connection.exchange(request).await?;
    idle.borrow_mut().extend(kept);
    Ok(answer)
}
