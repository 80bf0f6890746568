//! `livecheck bench`: how fast this machine judges, by stage and by number of workers.
//!
//! `photos` finds or draws what is judged, `figures` makes percentiles of the times, `report` puts
//! them into a table and JSON, `stdin` judges photos one by one as another program asks for them.

mod figures;
mod photos;
mod report;
mod stdin;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use livecheck_engine::Engine;

use crate::{settings, stdout};
use figures::{Measured, Milliseconds, Outcomes, Stages, Times, memory};
use photos::Photos;
use report::Report;

/// Checks at each number of workers when `--runs` is not given: enough for a p99.
const LEAST_CHECKS: usize = 200;

/// How often findings are measured at least.
const LEAST_FINDINGS: usize = 50;

pub(crate) fn command() -> Command {
    let command = Command::new("bench")
        .about("Measure latency by stage, throughput and memory on this machine")
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath)
                .conflicts_with("stdin")
                .help("Photos, or folders of them [default: drawn faces of 1280x720 and 4000x3000 pixels]"),
        )
        .arg(
            Arg::new("runs")
                .long("runs")
                .value_name("N")
                .value_parser(value_parser!(NonZeroUsize))
                .help("How often each photo is judged [default: until at least 200 checks in all]"),
        )
        .arg(
            Arg::new("workers")
                .long("workers")
                .value_name("N")
                .value_parser(value_parser!(NonZeroUsize))
                .help("Measure throughput with 1 to N photos in parallel [default: one per core]"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Figures as JSON on standard output; the table goes to standard error"),
        )
        .arg(
            Arg::new("stdin")
                .long("stdin")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["runs", "workers", "json"])
                .help("Judge the files named on standard input, one per line, and print one line of JSON for each: for photo-by-photo comparisons"),
        );
    settings::add_flags(command, |setting| {
        matches!(setting.group, "engine" | "inference")
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let config = settings::load(matches)?;
    let started = Instant::now();
    let engine = settings::engine(&config)?;
    engine.self_test()?;
    let start_ms = Milliseconds::since(started);
    if matches.get_flag("stdin") {
        stdin::judge(&engine)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rss_after_start = memory("VmRSS");
    let photos = match matches.get_many::<PathBuf>("files") {
        Some(paths) => Photos::find(paths, config.engine.max_file_bytes)?,
        None => Photos::draw()?,
    };
    if photos.groups.iter().all(|group| group.files.is_empty()) {
        bail!("no photo to judge was found");
    }
    let most = match matches.get_one::<NonZeroUsize>("workers") {
        Some(workers) => *workers,
        None => thread::available_parallelism()?,
    };
    let runs = matches.get_one::<NonZeroUsize>("runs").copied();

    let mut report = Report::new(
        settings::describe(engine.runtime()),
        photos.origin.clone(),
        start_ms,
        rss_after_start,
    );
    for group in &photos.groups {
        let checks = runs.map_or(LEAST_CHECKS.max(group.files.len()), |runs| {
            runs.get() * group.files.len()
        });
        let latency = measure(&engine, &group.files, 1, checks);
        let mut throughput = vec![latency.throughput(1)];
        for workers in 2..=most.get() {
            throughput.push(measure(&engine, &group.files, workers, checks).throughput(workers));
        }
        report.add(
            group,
            &latency,
            &findings(&engine, &group.files),
            throughput,
        );
    }
    report.rss_peak = memory("VmHWM");
    if matches.get_flag("json") {
        eprint!("{}", report.table());
        stdout::write(format!("{}\n", report.json()))?;
    } else {
        stdout::write(report.table())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the findings of photos cost, which `details` asks for: by itself, since no other check pays for them.
fn findings(engine: &Engine, files: &[Vec<u8>]) -> Times {
    let mut times = Times::default();
    for file in files.iter().cycle().take(LEAST_FINDINGS.max(files.len())) {
        let Ok(located) = engine.locate(file) else {
            continue;
        };
        let judged = engine.judge(&located);
        let started = Instant::now();
        if engine.findings(&located, judged.as_ref()).is_ok() {
            times.add(Milliseconds::since(started));
        }
    }
    times
}

/// Judges `checks` times, going round the files, on `workers` threads that share the engine.
fn measure(engine: &Engine, files: &[Vec<u8>], workers: usize, checks: usize) -> Measured {
    // What is loaded or allocated at the first use is not what is measured.
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                for file in files.iter().cycle().skip(worker).take(2) {
                    check(
                        engine,
                        file,
                        &mut Stages::default(),
                        &mut Outcomes::default(),
                    );
                }
            });
        }
    });
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let parts: Vec<(Stages, Outcomes)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let (mut stages, mut outcomes) = (Stages::default(), Outcomes::default());
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= checks {
                            return (stages, outcomes);
                        }
                        check(engine, &files[at % files.len()], &mut stages, &mut outcomes);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let wall = Milliseconds::since(started);
    let mut measured = Measured {
        stages: Stages::default(),
        outcomes: Outcomes::default(),
        wall,
    };
    for (stages, outcomes) in parts {
        measured.stages.merge(stages);
        measured.outcomes.merge(outcomes);
    }
    measured
}

/// One check; its times and its outcome are noted.
fn check(engine: &Engine, file: &[u8], stages: &mut Stages, outcomes: &mut Outcomes) {
    let started = Instant::now();
    let outcome = engine.check(file);
    stages.total.add(Milliseconds::since(started));
    match outcome {
        Ok(verdict) => stages.note(&verdict.details.timings),
        Err(rejection) => outcomes.note(rejection.code()),
    }
    outcomes.checks += 1;
}
