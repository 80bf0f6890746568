//! `livecheck keys`: make, list, revoke and rotate API keys.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use livecheck_store::{
    Clock, KeyRecord, KeySelector, NewKey, Rate, ReplayPolicy, Store, SystemClock, Timestamp,
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{lifetime, settings, stdout};

pub(crate) fn command() -> Command {
    let which = || {
        Arg::new("key")
            .value_name("NAME|ID")
            .required(true)
            .help("Name or id of the key, as `keys list` shows them")
    };
    let with_database = |command: Command| settings::add_flags(command, |s| s.name == "database");
    Command::new("keys")
        .about("Make, list, revoke and rotate API keys")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_database(
            Command::new("create")
                .about("Make a key and print it, alone, on standard output: it is never shown again")
                .arg(
                    Arg::new("name")
                        .long("name")
                        .value_name("NAME")
                        .required(true)
                        .help("Whose key it is: 1 to 64 letters, digits, spaces or ._@-"),
                )
                .arg(
                    Arg::new("require-session")
                        .long("require-session")
                        .action(ArgAction::SetTrue)
                        .help("Liveness checks with this key need a session token"),
                )
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("DURATION")
                        .value_parser(lifetime::parse)
                        .help("The key stops working after this time, such as 90d or 12h [default: never]"),
                )
                .arg(
                    Arg::new("rate")
                        .long("rate")
                        .value_name("N/s")
                        .help("Most requests on average, such as 10/s, 300/m or 1000/h [default: the server's]"),
                )
                .arg(
                    Arg::new("burst")
                        .long("burst")
                        .value_name("N")
                        .value_parser(clap::value_parser!(u32).range(1..))
                        .requires("rate")
                        .help("Requests at once that the rate lets through [default: one second's, at least 1]"),
                )
                .arg(
                    Arg::new("replay")
                        .long("replay")
                        .value_name("POLICY")
                        .value_parser(ReplayPolicy::ALL.map(ReplayPolicy::as_str))
                        .help("What happens to a file that the key had judged before [default: the server's]"),
                ),
        ))
        .subcommand(with_database(
            Command::new("list").about("List all keys").arg(
                Arg::new("json")
                    .long("json")
                    .action(ArgAction::SetTrue)
                    .help("One JSON object a line"),
            ),
        ))
        .subcommand(with_database(
            Command::new("revoke")
                .about("Stop a key; with a name, every key of that name")
                .arg(which()),
        ))
        .subcommand(with_database(
            Command::new("rotate")
                .about("Make a successor with the same settings and print it, alone, on standard output")
                .arg(which())
                .arg(
                    Arg::new("grace")
                        .long("grace")
                        .value_name("DURATION")
                        .value_parser(lifetime::parse)
                        .help("The old key stops working after this time [default: when it is revoked]"),
                ),
        ))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let (task, matches) = matches.subcommand().context("no task was given")?;
    let config = settings::load(matches)?;
    Runtime::new()
        .context("the async runtime cannot start")?
        .block_on(async {
            let database = config.access.database.reveal();
            // Only a new key makes a database.
            if task != "create"
                && let Some(file) = livecheck_store::missing_file(database)
            {
                let file = file.display();
                let hint = create_hint(matches);
                if task == "list" {
                    eprintln!("no keys: the database {file} does not exist; make both with {hint}");
                    return Ok(());
                }
                bail!(
                    "the database {file} does not exist, so there is no key; make both with {hint}"
                );
            }
            let store = livecheck_store::open(database).await?;
            let now = SystemClock::new().now();
            match task {
                "create" => create(&store, matches, now).await,
                "list" => list(&store, matches, now).await,
                "revoke" => revoke(&store, &selector(matches), now).await,
                _ => rotate(&store, matches, now).await,
            }
        })?;
    Ok(ExitCode::SUCCESS)
}

/// The command that makes a key where this one looks.
pub(crate) fn create_hint(matches: &ArgMatches) -> String {
    let flags = settings::where_flags(matches);
    format!("`livecheck keys create --name NAME{flags}`")
}

fn selector(matches: &ArgMatches) -> KeySelector {
    let text = matches.get_one::<String>("key").map_or("", String::as_str);
    KeySelector::from(text)
}

async fn create(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let name = matches
        .get_one::<String>("name")
        .cloned()
        .unwrap_or_default();
    let rate = match matches.get_one::<String>("rate") {
        Some(text) => Some(parse_rate(text, matches.get_one::<u32>("burst").copied())?),
        None => None,
    };
    let key = NewKey {
        expires_at: matches
            .get_one::<Duration>("expires")
            .map(|lifetime| now.plus(*lifetime)),
        require_session: matches.get_flag("require-session"),
        rate,
        replay: matches
            .get_one::<String>("replay")
            .and_then(|name| ReplayPolicy::named(name)),
        ..NewKey::named(name)
    };
    let (record, key) = store.create_key(key, now).await?;
    eprintln!(
        "key {} of {:?}; it is shown only here:",
        record.id, record.name
    );
    stdout::write(format!("{}\n", key.reveal()))
}

/// `10/s`, `300/m` or `1000/h`.
fn parse_rate(text: &str, burst: Option<u32>) -> Result<Rate> {
    let parsed = text.split_once('/').and_then(|(count, unit)| {
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Some(count.parse::<f64>().ok()? / seconds)
    });
    let Some(per_second) = parsed else {
        bail!(
            "--rate {text:?} is not a rate; allowed is a number per second, minute or hour, such as 10/s, 300/m or 1000/h, from 0.001/s to 1000000/s"
        );
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; `Rate::new` checks the range"
    )]
    let one_second = per_second.ceil().max(1.0) as u32;
    Rate::new(per_second, burst.unwrap_or(one_second))
        .with_context(|| format!("--rate {text:?} can't be used"))
}

async fn list(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let keys = store.list_keys().await?;
    if matches.get_flag("json") {
        for key in &keys {
            stdout::write(format!("{}\n", as_json(key, now)))?;
        }
        return Ok(());
    }
    if keys.is_empty() {
        eprintln!("no keys; make one with {}", create_hint(matches));
        return Ok(());
    }
    let mut rows = vec![
        [
            "ID",
            "NAME",
            "KEY",
            "STATE",
            "CREATED",
            "LAST USED",
            "EXPIRES",
            "SESSION",
            "RATE",
            "REPLAY",
        ]
        .map(str::to_owned),
    ];
    rows.extend(keys.iter().map(|key| as_row(key, now)));
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = rows.iter().map(|row| row[column].chars().count()).max();
            format!("{cell:width$}", width = width.unwrap_or(0))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        stdout::write(format!("{}\n", line.trim_end()))?;
    }
    Ok(())
}

fn state(key: &KeyRecord, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if !key.is_live(now) {
        "expired"
    } else if key.successor.is_some() {
        "rotated"
    } else {
        "live"
    }
}

fn shown_rate(rate: Rate) -> String {
    format!("{}/s, burst {}", rate.per_second(), rate.burst())
}

fn as_row(key: &KeyRecord, now: Timestamp) -> [String; 10] {
    let moment = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), shown_time);
    [
        key.id.to_string(),
        key.name.clone(),
        format!("{}…", key.shown),
        state(key, now).to_owned(),
        shown_time(key.created_at),
        moment(key.last_used_at),
        moment(key.expires_at),
        if key.require_session { "required" } else { "-" }.to_owned(),
        key.rate.map_or_else(|| "-".to_owned(), shown_rate),
        key.replay.map_or("-", ReplayPolicy::as_str).to_owned(),
    ]
}

fn as_json(key: &KeyRecord, now: Timestamp) -> serde_json::Value {
    json!({
        "id": key.id.as_str(),
        "name": key.name,
        "key": key.shown,
        "state": state(key, now),
        "created": shown_time(key.created_at),
        "last_used": key.last_used_at.map(shown_time),
        "expires": key.expires_at.map(shown_time),
        "require_session": key.require_session,
        "rate": key.rate.map(shown_rate),
        "replay": key.replay.map(ReplayPolicy::as_str),
    })
}

/// RFC 3339 in UTC, to the second.
fn shown_time(at: Timestamp) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).map_or_else(
        || "-".to_owned(),
        |at| humantime::format_rfc3339_seconds(at).to_string(),
    )
}

async fn revoke(store: &Arc<dyn Store>, which: &KeySelector, now: Timestamp) -> Result<()> {
    for key in store.revoke_key(which, now).await? {
        eprintln!(
            "key {} of {:?} is revoked; every node refuses it within 5 seconds",
            key.id, key.name
        );
    }
    Ok(())
}

async fn rotate(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let grace = matches.get_one::<Duration>("grace").copied();
    let (record, key) = store.rotate_key(&selector(matches), grace, now).await?;
    let old = match grace {
        Some(grace) => format!("stops working in {}", humantime::format_duration(grace)),
        None => "works until it is revoked by its id".to_owned(),
    };
    eprintln!("key {} of {:?}; the old one {old}:", record.id, record.name);
    stdout::write(format!("{}\n", key.reveal()))
}
