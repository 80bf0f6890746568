//! `livecheck evaluate`: measures error rates on labelled photos, and writes a report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, ValueHint, value_parser};
use livecheck_engine::{Engine, EngineConfig, Limits, Rate, score_sources};
use livecheck_evaluate::{
    bootstrap::Bootstrap,
    data::{self, Presentation},
    html,
    outcome::{self, Outcome, Record, exact},
    presets,
    reasons::Reasons,
    report::{Report, System},
    stability::{self, Answers, Class, Row, Stability},
};

use crate::{
    measure::{self, Labelled},
    settings, stdout,
};

/// What `evaluate --help` ends with.
const EXPLANATION: &str = "\
Writes DIR/report.json and DIR/report.html and prints a summary. The photos stay on this machine.

Manifest columns (upper and lower case alike; others are ignored):
  image     image, file, filename, path, img
  label     label, class, target, ground_truth: live, print, screen, replay, attack, ...
  type      type, attack_type, attack, species, pai: the kind of an attack
  source    source, dataset, set, camera, device
  subject   subject, person, subject_id, person_id, identity

A folder holds live/, print/, screen/ or attack/; a folder within one of these is a subject.

Exit codes: 0 the report is written, 2 it is not.";

pub(crate) fn command() -> Command {
    let command = Command::new("evaluate")
        .about("Measure error rates (APCER, BPCER, ...) on labelled photos")
        .after_help(EXPLANATION)
        .arg(measure::data_argument())
        .arg(
            Arg::new("scores")
                .long("scores")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("Don't judge photos: report on the scores in this CSV file, from any system (a manifest's columns, and score 0 to 1 or error_code)"),
        )
        .group(ArgGroup::new("what").args(["data", "scores"]).required(true))
        .arg(measure::images_argument().conflicts_with("scores"))
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("DIR")
                .default_value("evaluation")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath)
                .help("Folder for report.json and report.html"),
        )
        .arg(measure::force_argument())
        .arg(
            Arg::new("predictions")
                .long("predictions")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("Also write a CSV file with one line per image: its score and verdict, or its error code"),
        )
        .arg(
            Arg::new("stability")
                .long("stability")
                .action(ArgAction::SetTrue)
                .conflicts_with("scores")
                .help("Also measure how many verdicts change, and the error rates, in other light, with noise, blur, compression, other sizes, frames and bars, turned, and with other face boxes (judges each photo some sixty times more)"),
        )
        .arg(
            Arg::new("stability-limit")
                .long("stability-limit")
                .value_name("N")
                .requires("stability")
                .value_parser(value_parser!(NonZeroUsize))
                .help("Disturb at most N photos of live people and of each kind of attack, spread evenly over DATA [default: all]"),
        )
        .arg(
            Arg::new("system")
                .long("system")
                .value_name("NAME")
                .requires("scores")
                .help("Name of the system that produced the --scores, for the report"),
        )
        .arg(
            Arg::new("resamples")
                .long("resamples")
                .value_name("N")
                .default_value("1000")
                .value_parser(value_parser!(u32).range(0..=100_000))
                .help("Resamples of the bootstrap over subjects; 0: none"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .default_value("1")
                .value_parser(value_parser!(u64))
                .help("Seed of the bootstrap: the same seed gives the same intervals"),
        )
        .arg(
            Arg::new("operating-points")
                .long("operating-points")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .conflicts_with_all(["scores", "preset", "calibration", "face_threshold", "mask_threshold"])
                .help("For model developers: also measure every preset and write models/operating-points.json"),
        )
        .arg(measure::workers_argument().conflicts_with("scores"));
    settings::add_flags(command, |setting| setting.group == "engine")
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let bootstrap = Bootstrap {
        resamples: *matches.get_one("resamples").context("a default")?,
        seed: *matches.get_one("seed").context("a default")?,
    };
    let folder = matches
        .get_one::<PathBuf>("output")
        .context("a default")?
        .as_path();
    let [json_path, html_path] = ["report.json", "report.html"].map(|name| folder.join(name));
    let mut outputs = vec![json_path.as_path(), &html_path];
    if let Some(path) = matches.get_one::<PathBuf>("predictions") {
        outputs.push(path);
    }
    measure::refuse_to_overwrite(matches, &outputs)?;
    let Measured {
        system,
        name,
        records,
        threshold,
        reasons,
        review,
        stability,
    } = match matches.get_one::<PathBuf>("scores") {
        Some(path) => from_scores(matches, path)?,
        None => judged(matches)?,
    };
    if let Some(path) = matches.get_one::<PathBuf>("predictions") {
        File::create(path)
            .and_then(|file| outcome::write(&records, threshold, file))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let (Some(path), Some(limits)) = (
        matches.get_one::<PathBuf>("operating-points"),
        system.limits,
    ) {
        write(path, &operating_points(&name, limits, &records)?)?;
    }
    let mut report = Report::new(system, name, &records, threshold, bootstrap, stability);
    if let Some(reasons) = reasons {
        report = report.with_reasons(reasons);
    }
    if let Some(from) = review {
        report = report.with_review(&records, from);
    }
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let mut json = serde_json::to_vec_pretty(&report)?;
    json.push(b'\n');
    write(&json_path, &json)?;
    write(&html_path, html::page(&report).as_bytes())?;
    stdout::write(summary(&report, folder))?;
    Ok(ExitCode::SUCCESS)
}

/// What the report is made from.
struct Measured {
    system: System,
    name: String,
    records: Vec<Record>,
    threshold: f64,
    /// Why photos got no verdict; `None` where codes are all that is known.
    reasons: Option<Reasons>,
    /// The review threshold, if one is set.
    review: Option<f64>,
    stability: Option<Stability>,
}

fn from_scores(matches: &ArgMatches, path: &Path) -> Result<Measured> {
    let config = settings::load(matches)?;
    Ok(Measured {
        system: System {
            name: matches
                .get_one::<String>("system")
                .cloned()
                .unwrap_or_else(|| "another system".to_owned()),
            version: None,
            models: Vec::new(),
            limits: None,
            thresholds: None,
            preset: None,
            calibration: None,
        },
        name: data::name_of(path),
        records: outcome::read(path).with_context(|| path.display().to_string())?,
        threshold: exact(config.engine.liveness_threshold),
        reasons: None,
        review: config.engine.review_threshold.map(|at| exact(at.value())),
        stability: None,
    })
}

fn judged(matches: &ArgMatches) -> Result<Measured> {
    let settings = settings::load(matches)?.engine;
    let config = settings.to_engine()?;
    let defaults = EngineConfig::default();
    // Flags cannot say otherwise, but the environment and the settings file can.
    if matches.contains_id("operating-points")
        && (config.calibration, config.thresholds) != (defaults.calibration, defaults.thresholds)
    {
        bail!(
            "presets are measured without calibration and with the default thresholds: unset them in the environment and the settings file"
        );
    }
    let labelled = labelled(matches)?;
    let disturb = matches.get_flag("stability");
    let disturbed = if disturb {
        let limit = matches.get_one::<NonZeroUsize>("stability-limit");
        spread(&labelled.presentations, limit.copied())
    } else {
        BTreeSet::new()
    };
    let (records, answers, reasons) = judge(matches, config, &labelled, &disturbed)?;
    let threshold = exact(config.thresholds.liveness);
    Ok(Measured {
        system: System {
            name: "Livecheck".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            models: score_sources(),
            limits: Some(config.limits),
            thresholds: Some(config.thresholds),
            preset: settings.preset.map(|preset| preset.name().to_owned()),
            calibration: settings.calibration.map(|path| path.display().to_string()),
        },
        name: labelled.name,
        records,
        threshold,
        reasons: Some(reasons),
        review: config.thresholds.review.map(exact),
        stability: disturb.then(|| Stability::new(threshold, &answers)),
    })
}

fn labelled(matches: &ArgMatches) -> Result<Labelled> {
    let path = matches
        .get_one::<PathBuf>("data")
        .context("data or scores")?;
    measure::labelled(matches, path)
}

/// Images of at most `limit` presentations of each class, spread evenly over all of them.
fn spread(presentations: &[Presentation], limit: Option<NonZeroUsize>) -> BTreeSet<&str> {
    let mut classes: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for presentation in presentations {
        let class = classes.entry(presentation.species.as_deref()).or_default();
        class.push(&presentation.image);
    }
    classes
        .into_values()
        .flat_map(|images| {
            let count = limit.map_or(images.len(), |limit| limit.get().min(images.len()));
            (0..count).map(move |at| images[at * images.len() / count])
        })
        .collect()
}

/// Judges every photo; those of `disturbed` that get a verdict also under each disturbance.
fn judge(
    matches: &ArgMatches,
    config: EngineConfig,
    labelled: &Labelled,
    disturbed: &BTreeSet<&str>,
) -> Result<(Vec<Record>, Vec<Answers>, Reasons)> {
    let workers = measure::workers(matches)?;
    let engine = Engine::new(config)?;

    let mut records = Vec::new();
    let mut answers = Vec::new();
    let mut reasons = Reasons::default();
    let mut failures = 0_usize;
    measure::judge(
        &engine,
        labelled,
        workers,
        |presentation, file| {
            if !disturbed.contains(presentation.image.as_str()) {
                return None;
            }
            let species = presentation.species.as_deref();
            // The file was read a moment ago.
            stability::answers(&engine, file, species).ok().flatten()
        },
        |presentation, outcome| {
            let outcome = match outcome {
                Ok((verdict, photo)) => {
                    answers.extend(photo);
                    Outcome::Score(exact(verdict.score))
                }
                Err(rejection) => {
                    let code = rejection.code();
                    reasons.add(&rejection);
                    failures += usize::from(code == "005");
                    Outcome::NoResponse(code.to_owned())
                }
            };
            records.push(Record {
                presentation: presentation.clone(),
                outcome,
            });
        },
    )?;
    if failures == records.len() {
        bail!("the engine failed on every image (005): run `livecheck doctor`");
    }
    Ok((records, answers, reasons))
}

/// What every preset was measured at, from records made at the defaults.
fn operating_points(name: &str, limits: Limits, records: &[Record]) -> Result<Vec<u8>> {
    let command = format!(
        "livecheck evaluate {name}.csv --min-image-side {} --min-face-side {} --operating-points FILE",
        limits.min_image_side, limits.min_face_side
    );
    let points = presets::operating_points(command, limits, records);
    let mut json = serde_json::to_vec_pretty(&points)?;
    json.push(b'\n');
    Ok(json)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// The figures that matter most, for people.
fn summary(report: &Report, folder: &Path) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let share = |rate: &Rate| {
        if rate.of == 0 {
            return "none judged".to_owned();
        }
        format!("{}/{} = {}", rate.errors, rate.of, percent(rate.rate))
    };
    let mut text = String::new();
    for reason in &report.reasons {
        text += &format!(
            "{} of {} refused: {reason}\n",
            reason.count, report.data.presentations
        );
    }
    for (name, figures) in report.groups() {
        text += &format!(
            "{name}: {} live, {} attacks, {} people\n",
            figures.bona_fide.presented,
            figures
                .attacks
                .values()
                .map(|species| species.responses.presented)
                .sum::<u64>(),
            figures.subjects,
        );
        if let Some(auc) = figures.auc {
            text += &format!("  AUC {:.4}", auc.value);
            for (species, one) in &figures.attacks {
                if let Some(auc) = one.auc {
                    text += &format!(", {species} {:.4}", auc.value);
                }
            }
            text += "\n";
        }
        for at in &figures.at_bpcer {
            text += &format!(
                "  APCER at BPCER {:.0} %: {}, worst kind {}\n",
                at.bpcer * 100.0,
                if at.all_attacks.rate.of == 0 {
                    "none judged".to_owned()
                } else {
                    percent(at.all_attacks.rate.rate)
                },
                at.worst.as_ref().map_or_else(
                    || "-".to_owned(),
                    |worst| format!("{} ({})", percent(worst.apcer), worst.species)
                ),
            );
        }
        for at in &figures.at_threshold {
            text += &format!(
                "  at {}: live turned away {}, BPCER {}",
                at.threshold,
                share(&at.bona_fide_turned_away),
                share(&at.bpcer.rate)
            );
            for (species, one) in &at.apcer {
                text += &format!(", APCER {species} {}", share(&one.rate));
            }
            text += "\n";
        }
        let silent: u64 = figures.bona_fide.non_response.errors
            + figures
                .attacks
                .values()
                .map(|species| species.responses.non_response.errors)
                .sum::<u64>();
        text += &format!("  without a verdict: {silent}\n");
        if let Some(band) = report.review.get(name) {
            text += &measure::review_band(band, "  ");
        }
    }
    if let Some(stability) = &report.stability {
        text += &disturbances(stability);
    }
    text += &format!("report: {}\n", folder.join("report.html").display());
    text
}

/// Each row of the table of disturbances, and the worst ones.
fn disturbances(stability: &Stability) -> String {
    let share = |rate: Rate| {
        if rate.of == 0 {
            return "none judged".to_owned();
        }
        format!("{}/{} = {:.1} %", rate.errors, rate.of, rate.rate * 100.0)
    };
    let row = |row: &Row| {
        let mut text = format!(
            "  {}: {} of the verdicts turned; live called attacks {}",
            row.name,
            share(row.turned),
            share(row.live.wrong)
        );
        for (species, class) in &row.attacks {
            text += &format!(", attacks passed: {species} {}", share(class.wrong));
        }
        let silent = |name: &str, class: &Class| {
            if class.no_verdict.errors == 0 {
                return String::new();
            }
            let codes: Vec<String> = class
                .by_code
                .iter()
                .map(|(code, count)| format!("{count} x {code}"))
                .collect();
            format!("; no verdict: {name} {}", codes.join(", "))
        };
        text += &silent("live", &row.live);
        text += &silent("attacks", &row.all_attacks);
        if stability.is_over(row) {
            text += &format!("; more than {:.0} % turned", stability.allowed * 100.0);
        }
        text + "\n"
    };
    let mut text = "disturbed:\n".to_owned();
    text += &row(&stability.undisturbed);
    text.extend(stability.disturbances.iter().map(row));
    for worst in &stability.worst {
        text += &format!(
            "  worst, {}: {} ({})\n",
            worst.what,
            worst.disturbance,
            share(worst.rate)
        );
    }
    text
}
