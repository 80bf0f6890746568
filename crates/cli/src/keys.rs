//! `livecheck keys`: make, list, change, rotate, revoke and prune API keys, and move them between
//! databases.

mod arguments;
mod transfer;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use clap::ArgMatches;
use livecheck_server::keys::{self, KeyBody};
use livecheck_store::{
    Clock, KeyChange, KeyRecord, KeySelector, NewKey, Store, SystemClock, Timestamp,
};
use tokio::runtime::Runtime;

use crate::{settings, stdout};

pub(crate) use arguments::command;
use arguments::{selector, settings_of};
use transfer::{export, import};

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let (task, matches) = matches.subcommand().context("no task was given")?;
    for warning in settings::on_command_line(matches) {
        eprintln!("warning: {warning}");
    }
    let config = settings::load(matches)?;
    Runtime::new()
        .context("the async runtime cannot start")?
        .block_on(async {
            let database = config.access.database.reveal();
            // Only new keys make a database.
            if !["create", "import"].contains(&task)
                && let Some(file) = livecheck_store::missing_file(database)
            {
                let file = file.display();
                let hint = create_hint(matches);
                if task == "list" {
                    eprintln!("no keys: the database {file} does not exist; create both with {hint}");
                    return Ok(());
                }
                bail!(
                    "the database {file} does not exist, so there is no key; create both with {hint}"
                );
            }
            let store = livecheck_store::open(database).await?;
            let now = SystemClock::new().now();
            match task {
                "create" => create(&store, matches, now).await,
                "list" => list(&store, matches, now).await,
                "set" => set(&store, matches, now).await,
                "revoke" => revoke(&store, &selector(matches), now).await,
                "prune" => prune(&store, matches, now).await,
                "export" => export(&store).await,
                "import" => import(&store, matches).await,
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

async fn create(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let name = matches
        .get_one::<String>("name")
        .cloned()
        .unwrap_or_default();
    let own = settings_of(matches, now)?;
    let thresholds = own.thresholds();
    keys::check_band(&thresholds).map_err(|error| anyhow!(error))?;
    let key = NewKey {
        name,
        expires_at: own.expires_at.flatten(),
        require_session: matches.get_flag("require-session"),
        rate: own.rate.flatten(),
        replay: own.replay.flatten(),
        thresholds,
        sandbox: matches.get_flag("sandbox"),
    };
    let (record, key) = store.create_key(key, now).await?;
    eprintln!(
        "key {} of {:?}; it is shown only here:",
        record.id, record.name
    );
    stdout::write(format!("{}\n", key.reveal()))
}

async fn list(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let keys = store.list_keys().await?;
    if matches.get_flag("json") {
        for key in &keys {
            let line = serde_json::to_string(&KeyBody::new(key, now))?;
            stdout::write(format!("{line}\n"))?;
        }
        return Ok(());
    }
    if keys.is_empty() {
        eprintln!("no keys; create one with {}", create_hint(matches));
        return Ok(());
    }
    show(&keys, now)
}

/// A table of keys.
fn show(keys: &[KeyRecord], now: Timestamp) -> Result<()> {
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
            "THRESHOLDS",
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

fn as_row(key: &KeyRecord, now: Timestamp) -> [String; 11] {
    let key = KeyBody::new(key, now);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let thresholds = key.thresholds();
    [
        key.id,
        key.name,
        format!("{}…", key.key),
        key.state.to_owned(),
        key.created,
        or_dash(key.last_used),
        or_dash(key.expires),
        if key.require_session { "required" } else { "-" }.to_owned(),
        or_dash(key.rate),
        or_dash(key.replay.map(str::to_owned)),
        or_dash(Some(thresholds).filter(|text| !text.is_empty())),
    ]
}

async fn set(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let which = selector(matches);
    let change = KeyChange {
        require_session: matches
            .get_one::<String>("require-session")
            .map(|text| text == "yes"),
        ..settings_of(matches, now)?
    };
    if change == KeyChange::default() {
        bail!("nothing to change: `livecheck keys set --help` lists the settings of a key");
    }
    keys::check_change(store.as_ref(), &which, &change).await?;
    let changed = store.change_key(&which, &change).await?;
    eprintln!("changed; in force on every node within 5 seconds:");
    show(&changed, now)
}

async fn prune(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let age = matches.get_one::<Duration>("older-than").copied();
    let before = now.minus(age.unwrap_or_default());
    let (keys, did) = if matches.get_flag("dry-run") {
        let ended = |at: Option<Timestamp>| at.is_some_and(|at| at <= before);
        let mut keys = store.list_keys().await?;
        keys.retain(|key| ended(key.revoked_at) || ended(key.expires_at));
        (keys, "would be deleted")
    } else {
        (store.prune_keys(before).await?, "deleted")
    };
    eprintln!("keys {did}: {}", keys.len());
    if keys.is_empty() {
        return Ok(());
    }
    show(&keys, now)
}

async fn revoke(store: &Arc<dyn Store>, which: &KeySelector, now: Timestamp) -> Result<()> {
    for key in store.revoke_key(which, now).await? {
        eprintln!(
            "key {} of {:?} is revoked; every node rejects it within 5 seconds",
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
