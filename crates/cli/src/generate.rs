//! `livecheck completions` and `livecheck man`: made from the command line's own description.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;

use crate::stdout;

/// The program's name in scripts and pages.
const PROGRAM: &str = "livecheck";

pub(crate) fn completions_command() -> Command {
    Command::new("completions")
        .about("Print a shell completion script")
        .hide(true)
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell)),
        )
}

pub(crate) fn completions(matches: &ArgMatches, mut program: Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut program, PROGRAM, &mut script);
    }
    stdout::write(script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man_command() -> Command {
    Command::new("man")
        .about("Write the manual pages, one per command, into a folder")
        .hide(true)
        .arg(
            Arg::new("folder")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath),
        )
}

pub(crate) fn man(matches: &ArgMatches, program: Command) -> Result<ExitCode> {
    if let Some(folder) = matches.get_one::<PathBuf>("folder") {
        fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(program, folder))
            .with_context(|| format!("no manual pages can be written to {}", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
