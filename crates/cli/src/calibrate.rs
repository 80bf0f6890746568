//! `livecheck calibrate`: fits threshold and scores to labelled photos of the user's own.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgGroup, ArgMatches, Command, ValueHint, value_parser};
use livecheck_engine::{Engine, MeasuredPoint, OperatingPoint, Rate, ScoreCalibration};
use livecheck_evaluate::{
    calibrate::{ANCHOR, Calibrated, Sample, calibrate},
    review::ReviewBand,
};

use crate::{measure, settings, stdout};

/// What `calibrate --help` ends with.
const EXPLANATION: &str = "\
Makes a file for the setting `calibration` of serve, check and evaluate. With it, a score of 0.90 is
the operating point asked for; which of two faces looks more alive stays as it is. The error rates in
the file are cross-validated by person: measure them again on people who are not in DATA.

Prints BPCER and APCER at 0.90 and 0.95 before and after, by source and for all sources, with 95 %
intervals, and warns on standard error where one of them grows.

With --review-share it also prints the review threshold that keeps to the share, who falls into the
band, and the error rates outside it, cross-validated like the rest.

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
        .about("Calibrate scores and threshold on your own labelled photos")
        .after_help(EXPLANATION)
        .arg(measure::data_argument().required(true))
        .arg(measure::images_argument())
        .arg(rate(
            "bpcer",
            "Maximum share of live people rejected at 0.90, such as 0.05",
        ))
        .arg(rate(
            "apcer",
            "Maximum share of attacks of each kind that passes at 0.90, such as 0.05",
        ))
        .group(ArgGroup::new("rate").args(["bpcer", "apcer"]).required(true))
        .arg(
            Arg::new("review-share")
                .long("review-share")
                .value_name("SHARE")
                .value_parser(value_parser!(f64))
                .help("Also choose review_threshold, so that at most this share of live people falls between it and 0.90, such as 0.05"),
        )
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
        .arg(measure::force_argument())
        .arg(
            Arg::new("date")
                .long("date")
                .value_name("TEXT")
                .help("A date or note to store in the file; none is added by default, so that the same data gives the same file"),
        )
        .arg(measure::workers_argument());
    settings::add_flags(command, |setting| {
        setting.group == "engine"
            && ![
                "preset",
                "calibration",
                "liveness_threshold",
                "review_threshold",
            ]
            .contains(&setting.name)
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let mut settings = settings::load(matches)?.engine;
    // Fitted is the shipped score, whatever calibration is in force.
    settings.calibration = None;
    let review_share = matches.get_one::<f64>("review-share").copied();
    if let Some(share) = review_share
        && !(share > 0.0 && share < 1.0)
    {
        bail!("--review-share is {share}; allowed is a share between 0 and 1, such as 0.05");
    }
    let config = settings.to_engine()?;
    let asked = match (
        matches.get_one::<f64>("bpcer"),
        matches.get_one::<f64>("apcer"),
    ) {
        (Some(rate), None) => OperatingPoint::Bpcer(*rate),
        (None, Some(rate)) => OperatingPoint::Apcer(*rate),
        _ => bail!("--bpcer or --apcer is required"),
    };
    let path = matches.get_one::<PathBuf>("data").context("an argument")?;
    let output = matches.get_one::<PathBuf>("output").context("a default")?;
    measure::refuse_to_overwrite(matches, &[output.as_path()])?;
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
    let mut made = calibrate(labelled.name, &samples, no_response, asked)?;
    made.file.date = matches.get_one::<String>("date").cloned();
    let mut json = serde_json::to_vec_pretty(&made.file)?;
    json.push(b'\n');
    fs::write(output, json).with_context(|| format!("{} cannot be written", output.display()))?;
    let band = review_share
        .map(|share| {
            ReviewBand::choose(&made.held_out, ANCHOR, share)
                .map(|from| ReviewBand::measure(&made.held_out, from, ANCHOR))
                .with_context(|| format!(
                    "no band holds at most {share} of the live people: none scores below {ANCHOR}, or a band with only one of them would already hold more"
                ))
        })
        .transpose()?;
    stdout::write(summary(&made, band.as_ref(), &output.display().to_string()))?;
    for warning in warnings(&made) {
        eprintln!("warning: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn counts(rate: Rate) -> String {
    format!("{}/{} = {}", rate.errors, rate.of, percent(rate.rate))
}

fn with_interval(rate: Rate) -> String {
    if rate.of == 0 {
        return "none".to_owned();
    }
    let (lower, upper) = (percent(rate.lower), percent(rate.upper));
    format!("{} [{lower}, {upper}]", counts(rate))
}

/// The error rates at a threshold, with their names.
fn rates(point: &MeasuredPoint) -> Vec<(String, Rate)> {
    std::iter::once(("BPCER".to_owned(), point.bpcer))
        .chain(
            point
                .apcer
                .iter()
                .map(|(species, rate)| (format!("APCER {species}"), *rate)),
        )
        .collect()
}

fn summary(made: &Calibrated, band: Option<&ReviewBand>, name: &str) -> String {
    let file = &made.file;
    let ScoreCalibration { slope, intercept } = file.calibration;
    let mut text = format!(
        "{} live, {} attacks of {} people; {} photos without a score\n\
         score = sigmoid({slope:.4} x shipped logit {intercept:+.4})\n\
         before: the shipped score; after: calibrated, cross-validated by person\n",
        file.counts.bona_fide,
        file.counts.attacks.values().sum::<u64>(),
        file.counts.subjects,
        file.counts.no_response,
    );
    for comparison in &made.comparisons {
        text += &format!("{}:\n", comparison.group);
        for (before, after) in comparison.before.iter().zip(&comparison.after) {
            for ((what, before_rate), (_, after_rate)) in
                rates(before).into_iter().zip(rates(after))
            {
                text += &format!(
                    "  at {:.2}: {what} before {}, after {}\n",
                    before.threshold,
                    with_interval(before_rate),
                    with_interval(after_rate)
                );
            }
        }
    }
    let mut flags = format!("--calibration {name}");
    if let Some(band) = band {
        text += &measure::review_band(band, "");
        flags += &format!(" --review-threshold {}", band.from);
    }
    text += &format!("use it: livecheck serve {flags}\n");
    text
}

/// What the calibration makes worse, a sentence each.
fn warnings(made: &Calibrated) -> Vec<String> {
    made.comparisons
        .iter()
        .flat_map(|comparison| {
            comparison.grown().map(|growth| {
                format!(
                    "{}, at {:.2}: {} grows from {} to {}",
                    comparison.group,
                    growth.threshold,
                    growth.what,
                    counts(growth.before),
                    counts(growth.after)
                )
            })
        })
        .collect()
}
