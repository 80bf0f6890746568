//! The one binary, `livecheck`: reads the command line and calls the library that does the work.
//!
//! Every setting of the server is a flag, made from the table in
//! [`livecheck_server::config::settings`]; see `settings.rs`.

mod audit;
mod bench;
mod calibrate;
mod check;
mod descriptors;
mod doctor;
mod evaluate;
mod generate;
mod healthcheck;
mod keys;
mod lifetime;
mod measure;
mod ordered;
mod serve;
mod settings;
mod stdout;
mod version;

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Command};
use livecheck_server::telemetry;

fn main() -> ExitCode {
    let matches = command().get_matches();
    match run(&matches) {
        Ok(code) => code,
        Err(error) if error.is::<stdout::ReaderGone>() => ExitCode::FAILURE,
        Err(error) => {
            telemetry::last_words(&format!("livecheck: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn command() -> Command {
    Command::new("livecheck")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Passive face liveness: is this selfie a live person, or a picture of one (print, screen)?\n\
             Without a command it starts a demo on this machine and prints a key for it.",
        )
        .subcommand(serve::command())
        .subcommand(keys::command())
        .subcommand(audit::command())
        .subcommand(check::command())
        .subcommand(evaluate::command())
        .subcommand(calibrate::command())
        .subcommand(bench::command())
        .subcommand(version::command())
        .subcommand(doctor::command())
        .subcommand(healthcheck::command())
        .subcommand(generate::completions_command())
        .subcommand(generate::man_command())
        .after_help(
            "For packages and shells: `livecheck completions SHELL` prints a completion script, \
             `livecheck man DIR` writes the manual pages.",
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    match matches.subcommand() {
        None => serve::demonstration(),
        Some(("serve", matches)) => serve::run(matches),
        Some(("keys", matches)) => keys::run(matches),
        Some(("audit", matches)) => audit::run(matches),
        Some(("check", matches)) => check::run(matches),
        Some(("calibrate", matches)) => calibrate::run(matches),
        Some(("evaluate", matches)) => evaluate::run(matches),
        Some(("bench", matches)) => bench::run(matches),
        Some(("version", matches)) => version::run(matches),
        Some(("doctor", matches)) => doctor::run(matches),
        Some(("healthcheck", matches)) => healthcheck::run(matches),
        Some(("completions", matches)) => generate::completions(matches, command()),
        Some(("man", matches)) => generate::man(matches, command()),
        Some((other, _)) => anyhow::bail!("unknown command {other}"),
    }
}
