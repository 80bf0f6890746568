//! `livecheck calibrate`: fits threshold and scores to labelled photos of the user's own.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgGroup, ArgMatches, Command, ValueHint, value_parser};
use livecheck_engine::{CalibrationFile, Engine, OperatingPoint, ScoreCalibration};
use livecheck_evaluate::calibrate::{Sample, calibrate};

use crate::{measure, settings, stdout};

/// What `calibrate --help` ends with.
const EXPLANATION: &str = "\
Makes a file for the setting `calibration` of serve, check and evaluate. With it, a score of 0.90 is
the operating point asked for; which of two faces looks more alive stays as it is. The error rates in
the file are cross-validated by person: measure them again on people who are not in DATA.

Data: as for `livecheck evaluate --help`. It takes at least 3 divided by the rate asked for, and 50,
photos of the class that the rate counts, 50 of the other, and 5 people in each.

Exit codes: 0 the file is written, 2 it is not.";

pub(crate) fn command() -> Command {
    let rate = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("RATE")
            .value_parser(value_parser!(f64))
            .help(help)
    };
    let command = Command::new("calibrate")
        .about("Fit scores and threshold to labelled photos of your own")
        .after_help(EXPLANATION)
        .arg(measure::data_argument().required(true))
        .arg(measure::images_argument())
        .arg(rate(
            "bpcer",
            "0.90 refuses at most this share of live people, such as 0.05",
        ))
        .arg(rate(
            "apcer",
            "0.90 lets at most this share of the attacks of each kind pass, such as 0.05",
        ))
        .group(ArgGroup::new("rate").args(["bpcer", "apcer"]).required(true))
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .default_value("calibration.json")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("The file to write"),
        )
        .arg(
            Arg::new("date")
                .long("date")
                .value_name("TEXT")
                .help("A date or note to keep in the file; none is added without it, so that the same data gives the same file"),
        )
        .arg(measure::workers_argument());
    settings::add_flags(command, |setting| {
        setting.group == "engine"
            && !["preset", "calibration", "liveness_threshold"].contains(&setting.name)
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let mut settings = settings::load(matches)?.engine;
    // Fitted is the shipped score, whatever calibration is in force.
    settings.calibration = None;
    let config = settings.to_engine()?;
    let asked = match (
        matches.get_one::<f64>("bpcer"),
        matches.get_one::<f64>("apcer"),
    ) {
        (Some(rate), None) => OperatingPoint::Bpcer(*rate),
        (None, Some(rate)) => OperatingPoint::Apcer(*rate),
        _ => bail!("one of --bpcer and --apcer is needed"),
    };
    let path = matches.get_one::<PathBuf>("data").context("an argument")?;
    let output = matches.get_one::<PathBuf>("output").context("a default")?;
    let labelled = measure::labelled(matches, path)?;
    let engine = Engine::new(config)?;
    let mut samples = Vec::new();
    let mut no_response = 0;
    measure::judge(
        &engine,
        &labelled,
        measure::workers(matches)?,
        |_, _| (),
        |presentation, outcome| match outcome {
            Ok((verdict, ())) => samples.push(Sample {
                presentation: presentation.clone(),
                logit: verdict.logit,
            }),
            Err(_) => no_response += 1,
        },
    )?;
    let mut file = calibrate(labelled.name, &samples, no_response, asked)?;
    file.date = matches.get_one::<String>("date").cloned();
    let mut json = serde_json::to_vec_pretty(&file)?;
    json.push(b'\n');
    fs::write(output, json).with_context(|| format!("{} cannot be written", output.display()))?;
    stdout::write(summary(&file, &output.display().to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(file: &CalibrationFile, name: &str) -> String {
    let ScoreCalibration { slope, intercept } = file.calibration;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut text = format!(
        "{} live, {} attacks of {} people; {} photos without a score\n\
         score = sigmoid({slope:.4} x shipped logit {intercept:+.4})\n\
         cross-validated by person:\n",
        file.counts.bona_fide,
        file.counts.attacks.values().sum::<u64>(),
        file.counts.subjects,
        file.counts.no_response,
    );
    for point in &file.measured {
        let rates = std::iter::once(("BPCER".to_owned(), point.bpcer)).chain(
            point
                .apcer
                .iter()
                .map(|(species, rate)| (format!("APCER {species}"), *rate)),
        );
        let rates: Vec<String> = rates
            .map(|(what, rate)| {
                format!(
                    "{what} {}/{} = {} [{}, {}]",
                    rate.errors,
                    rate.of,
                    percent(rate.rate),
                    percent(rate.lower),
                    percent(rate.upper)
                )
            })
            .collect();
        text += &format!("  at {:.2}: {}\n", point.threshold, rates.join(", "));
    }
    text += &format!("use it: livecheck serve --calibration {name}\n");
    text
}
