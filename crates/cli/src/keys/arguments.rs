//! The arguments of `livecheck keys`, and the settings of a key that they name.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, builder::ValueParser, value_parser};
use livecheck_engine::Preset;
use livecheck_server::keys;
use livecheck_store::{KeyChange, KeySelector, Rate, ReplayPolicy, Threshold, Timestamp};

use crate::{lifetime, settings};

/// Goes back to the server's setting, in `keys set`.
const UNSET: &str = "none";

/// A key's own thresholds: flag and help.
const THRESHOLDS: [(&str, &str); 4] = [
    (
        "liveness-threshold",
        "Minimum score for a face to be live, with this key [default: the server's]",
    ),
    (
        "face-threshold",
        "Minimum score for a candidate to count as a face, with this key [default: the server's]",
    ),
    (
        "mask-threshold",
        "Minimum score for a face to count as covered, with this key [default: the server's]",
    ),
    (
        "review-threshold",
        "Minimum score for a face that is not live to be sent to review, with this key [default: the server's]",
    ),
];

/// How long ended keys are kept by `keys prune` unless it is told otherwise.
const PRUNE_AFTER: &str = "30d";

pub(crate) fn command() -> Command {
    let which = || {
        Arg::new("key")
            .value_name("NAME|ID")
            .required(true)
            .help("Name or id of the key, as `keys list` shows them")
    };
    let with_database = |command: Command| {
        settings::add_flags(command, |s| ["database", "database_file"].contains(&s.name))
    };
    Command::new("keys")
        .about("Create, list, change, rotate, revoke and prune API keys, and move them between databases")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_database(
            add_key_settings(
                Command::new("create")
                    .about("Create a key and print it, alone, on standard output: it is never shown again")
                    .arg(
                        Arg::new("name")
                            .long("name")
                            .value_name("NAME")
                            .required(true)
                            .help("Name of the key's owner: 1 to 64 letters, digits, spaces or ._@-"),
                    )
                    .arg(
                        Arg::new("require-session")
                            .long("require-session")
                            .action(ArgAction::SetTrue)
                            .help("Require a session token for liveness checks with this key"),
                    )
                    .arg(
                        Arg::new("sandbox")
                            .long("sandbox")
                            .action(ArgAction::SetTrue)
                            .help("A key for integration tests, lck_test_…: photos are not judged, the header x-livecheck-sandbox names the response"),
                    ),
                false,
            ),
        ))
        .subcommand(with_database(
            Command::new("list").about("List all keys").arg(json_argument()),
        ))
        .subcommand(with_database(
            add_key_settings(
                Command::new("set")
                    .about("Change the settings of a key, or of every key with a name; in force within 5 seconds")
                    .after_help("`none` in place of a value restores the server's setting. The key itself stays the same, so clients need no new one.")
                    .arg(which())
                    .arg(
                        Arg::new("require-session")
                            .long("require-session")
                            .value_name("YES|NO")
                            .value_parser(["yes", "no"])
                            .help("Whether liveness checks with this key require a session token"),
                    ),
                true,
            ),
        ))
        .subcommand(with_database(
            Command::new("revoke")
                .about("Revoke a key; with a name, every key of that name")
                .arg(which()),
        ))
        .subcommand(with_database(
            Command::new("rotate")
                .about("Create a successor with the same settings and print it, alone, on standard output")
                .arg(which())
                .arg(
                    Arg::new("grace")
                        .long("grace")
                        .value_name("DURATION")
                        .value_parser(lifetime::parse)
                        .help("How long the old key keeps working [default: until it is revoked]"),
                ),
        ))
        .subcommand(with_database(
            Command::new("prune")
                .about("Delete keys that were revoked or expired long ago, with their sessions and counts")
                .arg(
                    Arg::new("older-than")
                        .long("older-than")
                        .value_name("DURATION")
                        .default_value(PRUNE_AFTER)
                        .value_parser(humantime::parse_duration)
                        .help("How long ago they must have been revoked or expired"),
                )
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only list them"),
                ),
        ))
        .subcommand(with_database(
            Command::new("export")
                .about("Print all keys with their hashes, one JSON object per line, for `keys import`"),
        ))
        .subcommand(with_database(
            Command::new("import")
                .about("Import the keys of another database, all or none; clients keep their keys")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .default_value("-")
                        .value_parser(value_parser!(PathBuf))
                        .value_hint(ValueHint::FilePath)
                        .help("Output of `keys export`; - is standard input"),
                ),
        ))
}

fn json_argument() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("One JSON object per line")
}

/// The argument of a key's own setting: some of them are named like settings of the server.
fn own_id(name: &str) -> String {
    format!("key-{name}")
}

/// The settings that `create` and `set` share; `set` also takes `none`.
fn add_key_settings(command: Command, can_unset: bool) -> Command {
    let or_unset = move |parse: fn(&str) -> std::result::Result<String, String>| {
        ValueParser::from(move |text: &str| {
            if can_unset && text == UNSET {
                return Ok(text.to_owned());
            }
            parse(text)
        })
    };
    let optional = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(own_id(name))
            .long(name)
            .value_name(value)
            .help(help)
    };
    let command = command
        .arg(
            optional(
                "expires",
                "DURATION",
                "The key stops working after this time, such as 90d or 12h [default: never]",
            )
            .value_parser(or_unset(|text| {
                lifetime::parse(text)?;
                Ok(text.to_owned())
            })),
        )
        .arg(optional(
            "rate",
            "N/s",
            "Maximum average rate of requests, such as 10/s, 300/m or 1000/h [default: the server's]",
        ))
        .arg(
            optional(
                "burst",
                "N",
                "Requests that the rate allows at once [default: one second's, at least 1]",
            )
            .value_parser(clap::value_parser!(u32).range(1..))
            .requires(own_id("rate")),
        )
        .arg(
            optional(
                "replay",
                "POLICY",
                "What happens to a file that was judged before with this key: off, flag or refuse [default: the server's]",
            )
            .value_parser(or_unset(|text| {
                let named = ReplayPolicy::named(text);
                named
                    .map(|_| text.to_owned())
                    .ok_or_else(|| "off, flag and refuse are allowed".to_owned())
            })),
        )
        .arg(
            optional(
                "preset",
                "NAME",
                "How strict liveness is with this key: convenience, balanced or strict [default: the server's]",
            )
            .value_parser(or_unset(|text| {
                let named = Preset::from_name(text);
                named
                    .map(|_| text.to_owned())
                    .ok_or_else(|| "convenience, balanced and strict are allowed".to_owned())
            })),
        );
    THRESHOLDS
        .into_iter()
        .fold(command, |command, (name, help)| {
            command.arg(
                optional(name, "SCORE", help)
                    .value_parser(or_unset(|text| threshold(text).map(|_| text.to_owned()))),
            )
        })
}

fn threshold(text: &str) -> std::result::Result<Threshold, String> {
    let number: f32 = text
        .parse()
        .map_err(|_| "a number from 0 to 1 is allowed".to_owned())?;
    Threshold::new(number).map_err(|error| error.to_string())
}

pub(super) fn selector(matches: &ArgMatches) -> KeySelector {
    let text = matches.get_one::<String>("key").map_or("", String::as_str);
    KeySelector::from(text)
}

/// The settings of a key that the arguments name.
pub(super) fn settings_of(matches: &ArgMatches, now: Timestamp) -> Result<KeyChange> {
    let text = |name: &str| matches.get_one::<String>(&own_id(name)).map(String::as_str);
    let value = |name: &str| text(name).map(|text| Some(text).filter(|text| *text != UNSET));
    let threshold = |name: &str| -> Result<Option<Option<Threshold>>> {
        value(name)
            .map(|value| value.map(|text| threshold(text).map_err(|error| anyhow!(error))))
            .map(Option::transpose)
            .transpose()
    };
    let burst = matches.get_one::<u32>(&own_id("burst")).copied();
    let rate = value("rate")
        .map(|rate| -> Result<Option<Rate>> {
            rate.map(|text| {
                keys::parse_rate(text, burst)
                    .map_err(|error| anyhow!(error))
                    .with_context(|| format!("--rate {text:?} can't be used"))
            })
            .transpose()
        })
        .transpose()?;
    let expires_at = value("expires")
        .map(|expires| -> Result<Option<Timestamp>> {
            let lifetime = expires.map(lifetime::parse).transpose();
            let lifetime = lifetime.map_err(|error| anyhow!(error))?;
            Ok(lifetime.map(|lifetime| now.plus(lifetime)))
        })
        .transpose()?;
    Ok(KeyChange {
        expires_at,
        require_session: None,
        rate,
        replay: value("replay").map(|name| name.and_then(ReplayPolicy::named)),
        preset: value("preset").map(|name| name.map(str::to_owned)),
        liveness: threshold("liveness-threshold")?,
        face: threshold("face-threshold")?,
        mask: threshold("mask-threshold")?,
        review: threshold("review-threshold")?,
    })
}
