//! The server's table of settings as flags, and the settings in force.

use std::{env, path::PathBuf};

use anyhow::Result;
use clap::{Arg, ArgMatches, Command, value_parser};
use livecheck_engine::{Engine, Runtime};
use livecheck_server::{
    ServerConfig,
    config::{self, ENV_PREFIX, SECRETS, Secret, Setting},
};

/// Flag and variable (with the prefix) of the settings file.
const FILE_FLAG: &str = "config";

/// Adds `--config` and a flag for each setting that `wanted` names.
pub(crate) fn add_flags(command: Command, wanted: impl Fn(&Setting) -> bool) -> Command {
    let file = Arg::new(FILE_FLAG)
        .long(FILE_FLAG)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!(
            "Settings file in TOML [also: {ENV_PREFIX}CONFIG]; the environment and flags take precedence"
        ));
    config::settings()
        .into_iter()
        .filter(wanted)
        .fold(command.arg(file), |command, setting| {
            let default = if setting.default.is_empty() {
                String::new()
            } else {
                format!("; default {}", setting.default)
            };
            command.arg(
                Arg::new(setting.name)
                    .long(setting.flag)
                    .value_name("VALUE")
                    .allow_hyphen_values(true)
                    .help_heading(format!("Settings: {}", setting.group))
                    .help(format!(
                        "{} [{}{default}; also: {}]",
                        setting.help, setting.allowed, setting.env
                    )),
            )
        })
}

/// The flags given that say where settings and keys are, for commands that messages suggest; each with a
/// space before it.
pub(crate) fn where_flags(matches: &ArgMatches) -> String {
    let file = matches
        .get_one::<PathBuf>(FILE_FLAG)
        .map(|file| file.display().to_string());
    let database = matches.try_get_one::<String>("database").ok().flatten();
    // A password is not repeated.
    let database = database
        .filter(|address| !Secret::from(address.as_str()).holds_password())
        .cloned();
    let address_file = matches
        .try_get_one::<String>("database_file")
        .ok()
        .flatten();
    let files = [
        ("config", file),
        ("database", database),
        ("database-file", address_file.cloned()),
    ];
    files
        .into_iter()
        .filter_map(|(flag, value)| Some((flag, value?)))
        .map(|(flag, value)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=+,@%~".contains(c);
            if !value.is_empty() && value.chars().all(plain) {
                format!(" --{flag} {value}")
            } else {
                format!(" --{flag} '{}'", value.replace('\'', r"'\''"))
            }
        })
        .collect()
}

/// The file of settings that `--config` or its variable names.
pub(crate) fn file(matches: &ArgMatches) -> Option<PathBuf> {
    matches
        .get_one::<PathBuf>(FILE_FLAG)
        .cloned()
        .or_else(|| env::var_os(format!("{ENV_PREFIX}CONFIG")).map(PathBuf::from))
}

/// Secrets that stand on the command line, one sentence each.
pub(crate) fn on_command_line(matches: &ArgMatches) -> Vec<String> {
    let given = |name: &str| matches.try_get_one::<String>(name).ok().flatten();
    SECRETS
        .into_iter()
        .filter(|name| {
            given(name).is_some_and(|value| {
                *name != "database" || Secret::from(value.as_str()).holds_password()
            })
        })
        .map(|name| {
            let flag = name.replace('_', "-");
            format!(
                "the value of --{flag} is on the command line, where every user of this machine can read it: use --{flag}-file or the variable {ENV_PREFIX}{}",
                name.to_uppercase()
            )
        })
        .collect()
}

/// The settings in force: defaults, file, environment, flags.
///
/// # Errors
/// One sentence that names the wrong setting and what is allowed.
pub(crate) fn load(matches: &ArgMatches) -> Result<ServerConfig> {
    let file = file(matches);
    let flags = config::settings().into_iter().filter_map(|setting| {
        let value = matches
            .try_get_one::<String>(setting.name)
            .ok()
            .flatten()?
            .clone();
        Some((setting.name.to_owned(), value))
    });
    Ok(ServerConfig::load(file.as_deref(), variables(), flags)?)
}

/// The settings in force where no flag was given.
///
/// # Errors
/// As [`load`].
pub(crate) fn without_flags() -> Result<ServerConfig> {
    let file = env::var_os(format!("{ENV_PREFIX}CONFIG")).map(PathBuf::from);
    Ok(ServerConfig::load(file.as_deref(), variables(), [])?)
}

/// The engine that the settings ask for.
///
/// # Errors
/// As [`Engine::with_runtime`], and settings that cannot be used.
pub(crate) fn engine(config: &ServerConfig) -> Result<Engine> {
    let runtime = config.inference.to_runtime();
    Ok(Engine::with_runtime(config.engine.to_engine()?, &runtime)?)
}

/// A runtime in one line: what it is, from where, and what was passed over for it.
pub(crate) fn describe(runtime: &Runtime) -> String {
    let mut text = runtime.info().to_string();
    if let Some(library) = runtime.library() {
        text += &format!(
            " from {}, SHA-256 {}",
            library.path.display(),
            library.sha256
        );
    }
    if let Some(note) = runtime.note() {
        text += &format!(" ({note})");
    }
    text
}

/// The environment; a variable that is not UTF-8 can be no setting.
fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
