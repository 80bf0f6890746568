//! `livecheck keys`: make, list, change, rotate, revoke and prune API keys, and move them between
//! databases.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, builder::ValueParser, value_parser};
use livecheck_engine::Preset;
use livecheck_server::keys::{self, KeyBody};
use livecheck_store::{
    Clock, KeyChange, KeyHash, KeyId, KeyRecord, KeySelector, KeyThresholds, NewKey, Rate,
    ReplayPolicy, Store, StoredKey, SystemClock, Threshold, Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::{lifetime, settings, stdout};

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

fn selector(matches: &ArgMatches) -> KeySelector {
    let text = matches.get_one::<String>("key").map_or("", String::as_str);
    KeySelector::from(text)
}

/// The settings of a key that the arguments name.
fn settings_of(matches: &ArgMatches, now: Timestamp) -> Result<KeyChange> {
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

async fn create(store: &Arc<dyn Store>, matches: &ArgMatches, now: Timestamp) -> Result<()> {
    let name = matches
        .get_one::<String>("name")
        .cloned()
        .unwrap_or_default();
    let own = settings_of(matches, now)?;
    let thresholds = KeyThresholds {
        preset: own.preset.flatten(),
        liveness: own.liveness.flatten(),
        face: own.face.flatten(),
        mask: own.mask.flatten(),
        review: own.review.flatten(),
    };
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

/// A key on its way from one database to another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedKey {
    id: String,
    name: String,
    key: String,
    sha256: String,
    created_ms: i64,
    last_used_ms: Option<i64>,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
    successor: Option<String>,
    require_session: bool,
    rate_per_second: Option<f64>,
    rate_burst: Option<u32>,
    replay: Option<String>,
    sandbox: bool,
    preset: Option<String>,
    liveness_threshold: Option<f32>,
    face_threshold: Option<f32>,
    mask_threshold: Option<f32>,
    review_threshold: Option<f32>,
}

impl From<&StoredKey> for ExportedKey {
    fn from(key: &StoredKey) -> Self {
        let StoredKey { record, hash } = key;
        let own = |threshold: Option<Threshold>| threshold.map(Threshold::value);
        let KeyThresholds {
            preset,
            liveness,
            face,
            mask,
            review,
        } = record.thresholds.clone();
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            key: record.shown.clone(),
            sha256: hash.to_hex(),
            created_ms: record.created_at.as_millis(),
            last_used_ms: record.last_used_at.map(Timestamp::as_millis),
            expires_ms: record.expires_at.map(Timestamp::as_millis),
            revoked_ms: record.revoked_at.map(Timestamp::as_millis),
            successor: record.successor.as_ref().map(ToString::to_string),
            require_session: record.require_session,
            rate_per_second: record.rate.map(Rate::per_second),
            rate_burst: record.rate.map(Rate::burst),
            replay: record.replay.map(|policy| policy.as_str().to_owned()),
            sandbox: record.sandbox,
            preset,
            liveness_threshold: own(liveness),
            face_threshold: own(face),
            mask_threshold: own(mask),
            review_threshold: own(review),
        }
    }
}

impl ExportedKey {
    fn into_stored(self) -> Result<StoredKey> {
        let id =
            |text: &str| KeyId::parse(text).with_context(|| format!("{text:?} is not a key id"));
        let own = |value: Option<f32>| value.map(Threshold::new).transpose();
        let rate = match (self.rate_per_second, self.rate_burst) {
            (Some(per_second), Some(burst)) => Some(Rate::new(per_second, burst)?),
            _ => None,
        };
        let replay = |name: &String| {
            let policy = ReplayPolicy::named(name);
            policy.with_context(|| format!("{name:?} is not a replay policy"))
        };
        Ok(StoredKey {
            record: KeyRecord {
                id: id(&self.id)?,
                name: self.name,
                shown: self.key,
                created_at: Timestamp::from_millis(self.created_ms),
                last_used_at: self.last_used_ms.map(Timestamp::from_millis),
                expires_at: self.expires_ms.map(Timestamp::from_millis),
                revoked_at: self.revoked_ms.map(Timestamp::from_millis),
                successor: self.successor.as_deref().map(id).transpose()?,
                require_session: self.require_session,
                rate,
                replay: self.replay.as_ref().map(replay).transpose()?,
                thresholds: KeyThresholds {
                    preset: self.preset,
                    liveness: own(self.liveness_threshold)?,
                    face: own(self.face_threshold)?,
                    mask: own(self.mask_threshold)?,
                    review: own(self.review_threshold)?,
                },
                sandbox: self.sandbox,
            },
            hash: KeyHash::from_hex(&self.sha256).context("sha256 is not 64 hexadecimal digits")?,
        })
    }
}

async fn export(store: &Arc<dyn Store>) -> Result<()> {
    let keys = store.export_keys().await?;
    for key in &keys {
        let line = serde_json::to_string(&ExportedKey::from(key))?;
        stdout::write(format!("{line}\n"))?;
    }
    eprintln!("keys exported: {}", keys.len());
    Ok(())
}

async fn import(store: &Arc<dyn Store>, matches: &ArgMatches) -> Result<()> {
    let path = matches.get_one::<PathBuf>("file").context("a default")?;
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    }
    .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let key = serde_json::from_str(line)
            .map_err(anyhow::Error::from)
            .and_then(ExportedKey::into_stored)
            .with_context(|| format!("line {} is not an exported key", number + 1))?;
        keys.push(key);
    }
    let before = store.list_keys().await?.len();
    store.import_keys(&keys).await?;
    let imported = store.list_keys().await?.len() - before;
    eprintln!(
        "keys imported: {imported}; already there: {}",
        keys.len().saturating_sub(imported)
    );
    Ok(())
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
