//! `livecheck version`: the build, its models and its thresholds.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};
use livecheck_engine::Engine;
use serde_json::json;

use crate::{settings, stdout};

pub(crate) fn command() -> Command {
    let command = Command::new("version")
        .about("Show the build, the models inside it and the thresholds in force")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("As JSON"),
        );
    settings::add_flags(command, |setting| setting.name.ends_with("_threshold"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let engine = Engine::new(settings::load(matches)?.engine.to_engine())?;
    let version = env!("CARGO_PKG_VERSION");
    let thresholds = engine.config().thresholds;
    if matches.get_flag("json") {
        let shown = json!({
            "version": version,
            "models": engine.models(),
            "thresholds": thresholds,
        });
        stdout::write(format!("{shown}\n"))?;
    } else {
        let mut shown = format!("livecheck {version}\n");
        for model in engine.models() {
            shown += &format!("model {:14} sha256 {}\n", model.name, model.sha256);
        }
        shown += &format!(
            "thresholds: face {:.2}, liveness {:.2}, mask {:.2}\n",
            thresholds.face, thresholds.liveness, thresholds.mask
        );
        stdout::write(shown)?;
    }
    Ok(ExitCode::SUCCESS)
}
