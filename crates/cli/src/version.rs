//! `livecheck version`: the build, its models, what they run on, its thresholds and what they were
//! measured at.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};
use livecheck_engine::{OperatingPoints, Preset, Rate};
use serde_json::json;

use crate::{settings, stdout};

pub(crate) fn command() -> Command {
    let command = Command::new("version")
        .about("Show the build, its models, the runtime and the thresholds in force")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("As JSON"),
        );
    settings::add_flags(command, |setting| {
        setting.name.ends_with("_threshold")
            || ["preset", "calibration"].contains(&setting.name)
            || setting.group == "inference"
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let config = settings::load(matches)?;
    let engine = settings::engine(&config)?;
    let settings = config.engine;
    let version = env!("CARGO_PKG_VERSION");
    let thresholds = engine.config().thresholds;
    if matches.get_flag("json") {
        let shown = json!({
            "version": version,
            "models": engine.models(),
            "runtime": engine.runtime().info(),
            "library": engine.runtime().library(),
            "thresholds": thresholds,
            "preset": settings.preset,
            "presets": OperatingPoints::shipped().map(|points| &points.presets),
            "calibration": settings.calibration_file()?,
        });
        stdout::write(format!("{shown}\n"))?;
    } else {
        let mut shown = format!("livecheck {version}\n");
        for model in engine.models() {
            shown += &format!("model {:14} sha256 {}\n", model.name, model.sha256);
        }
        shown += &format!("runtime {}\n", crate::settings::describe(engine.runtime()));
        shown += &format!(
            "thresholds: face {:.2}, liveness {:.2}, mask {:.2}\n",
            thresholds.face, thresholds.liveness, thresholds.mask
        );
        if let Some(review) = thresholds.review {
            shown += &format!("review band: {review:.2} to {:.2}\n", thresholds.liveness);
        }
        if let Some(path) = &settings.calibration {
            shown += &format!("calibration: {}\n", path.display());
        }
        shown += &presets();
        stdout::write(shown)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The presets, with what each was measured at.
fn presets() -> String {
    let mut shown = String::new();
    for preset in Preset::ALL {
        let thresholds = preset.thresholds();
        shown += &format!(
            "preset {:12} face {:.2}, liveness {:.2}, mask {:.2}\n",
            preset.name(),
            thresholds.face,
            thresholds.liveness,
            thresholds.mask
        );
        let figures = OperatingPoints::shipped().and_then(|points| points.of(preset));
        for source in figures.map_or(&[][..], |figures| &figures.measured) {
            let rate = |what: &str, rate: &Rate| {
                format!(
                    "{what} {:.1} % ({}/{})",
                    rate.rate * 100.0,
                    rate.errors,
                    rate.of
                )
            };
            let rates: Vec<String> = std::iter::once(rate("BPCER", &source.bpcer))
                .chain(
                    source
                        .apcer
                        .iter()
                        .map(|(kind, apcer)| rate(&format!("APCER {kind}"), apcer)),
                )
                .collect();
            shown += &format!("  on {}: {}\n", source.source, rates.join(", "));
        }
    }
    shown
}
