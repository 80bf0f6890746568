//! `livecheck doctor`: checks configuration, models, store and limits, and says what to fix.

use std::{fs, net::TcpListener, path::Path, process::ExitCode};

use anyhow::{Context, Result};
use clap::{ArgMatches, Command};
use livecheck_engine::EngineError;
use livecheck_server::{
    ServerConfig, ServerError,
    config::{Listener, memory_limit},
};
use tokio::runtime::Runtime;

use crate::{descriptors, keys, settings, stdout};

/// What one check found: `Ok` says that all is well, `Err` says what to do.
type Finding = std::result::Result<String, String>;

pub(crate) fn command() -> Command {
    settings::add_flags(
        Command::new("doctor")
            .about("Check configuration, models, database and limits, and say what to fix; exits with 1 if something is wrong"),
        |_| true,
    )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let mut findings: Vec<(&str, Finding)> = Vec::new();
    let mut warnings = Vec::new();
    match settings::load(matches) {
        Ok(config) => {
            findings.push(("settings", Ok(changed(&config))));
            let mut secrets = settings::on_command_line(matches);
            secrets.extend(config.exposed_files(settings::file(matches).as_deref()));
            warnings.extend(secrets.into_iter().map(|warning| ("secrets", warning)));
            let database = livecheck_store::unchecked_certificate(config.access.database.reveal());
            warnings.extend(database.map(|warning| ("database", warning)));
            if let Some(reason) = config.forbidden_admin_listener() {
                findings.push(("admin listener", Err(reason)));
            }
            let admin = config.open_admin_listener();
            warnings.extend(admin.map(|warning| ("admin listener", warning)));
            findings.push(("models", models(&config)));
            findings.push(("store", store(&config, matches)?));
            findings.push(("certificate", certificate(&config)));
            findings.push(("address", address(&config)));
            findings.push(("endpoints", Ok(endpoints(&config))));
            findings.push(("file descriptors", file_limit(&config)));
            findings.push(("workers", workers(&config)));
            let bound = config.memory_bound(cores());
            match bound.beyond(memory_limit()) {
                None => findings.push(("memory", Ok(format!("at most {bound}")))),
                Some(warning) => warnings.push(("memory", warning)),
            }
        }
        Err(error) => findings.push(("settings", Err(format!("{error:#}")))),
    }
    let mut healthy = true;
    for (what, finding) in findings {
        match finding {
            Ok(text) => stdout::write(format!("ok    {what}: {text}\n"))?,
            Err(text) => {
                healthy = false;
                stdout::write(format!("WRONG {what}: {text}\n"))?;
            }
        }
    }
    for (what, warning) in warnings {
        stdout::write(format!("warn  {what}: {warning}\n"))?;
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The settings that differ from their defaults.
fn changed(config: &ServerConfig) -> String {
    let defaults = ServerConfig::default().in_force();
    let changed: Vec<String> = config
        .in_force()
        .into_iter()
        .zip(defaults)
        .filter(|(set, default)| set != default)
        .map(|((name, value), _)| format!("{name} = {value}"))
        .collect();
    if changed.is_empty() {
        "all at their defaults".to_owned()
    } else {
        changed.join(", ")
    }
}

fn models(config: &ServerConfig) -> Finding {
    let engine = settings::engine(config).map_err(|error| match error.downcast_ref() {
        Some(EngineError::Runtime { .. }) | None => error.to_string(),
        Some(_) => format!(
            "{error}; the program file is damaged or built for another machine: install it again"
        ),
    })?;
    engine.self_test().map_err(|error| {
        format!("{error}; this machine computes incorrect results: do not judge anyone with it")
    })?;
    Ok(format!(
        "{} verified and tested on {}",
        engine.models().len(),
        settings::describe(engine.runtime())
    ))
}

fn store(config: &ServerConfig, matches: &ArgMatches) -> Result<Finding> {
    let database = config.access.database.reveal();
    let hint = keys::create_hint(matches);
    if let Some(file) = livecheck_store::missing_file(database) {
        return Ok(Err(format!(
            "the database {} does not exist, so nobody can use the service: create it and a key with {hint}",
            file.display()
        )));
    }
    let runtime = Runtime::new().context("the async runtime cannot start")?;
    Ok(runtime.block_on(async {
        let store = livecheck_store::open(database)
            .await
            .map_err(|error| error.to_string())?;
        store.ping().await.map_err(|error| error.to_string())?;
        let keys = store.list_keys().await.map_err(|error| error.to_string())?;
        if keys.is_empty() {
            return Err(format!(
                "{} has no key, so nobody can use the service: create one with {hint}",
                store.address()
            ));
        }
        Ok(format!("{} answers; keys: {}", store.address(), keys.len()))
    }))
}

fn certificate(config: &ServerConfig) -> Finding {
    let readable = |path: &Path| match fs::read(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    };
    match (&config.network.tls_cert, &config.network.tls_key) {
        (Some(certificate), Some(key)) => {
            readable(certificate)?;
            readable(key)?;
            Ok(format!("{} and its key can be read", certificate.display()))
        }
        _ => Ok("none: the service uses plain HTTP, so put a TLS proxy in front of it".to_owned()),
    }
}

fn address(config: &ServerConfig) -> Finding {
    let network = &config.network;
    let public = std::iter::once(("listen", network.listen));
    let admin = network
        .admin_listen
        .map(|address| ("admin_listen", address));
    for (setting, address) in public.chain(admin) {
        if let Err(source) = TcpListener::bind(address) {
            let error = ServerError::Listen {
                setting,
                address,
                source,
            };
            return Err(error.to_string());
        }
    }
    Ok(format!("{} is free", network.listen))
}

/// What whoever reaches a listener can ask without a key.
fn endpoints(config: &ServerConfig) -> String {
    let network = &config.network;
    let on = |wanted: Option<Listener>| {
        let paths: Vec<&str> = config
            .served()
            .into_iter()
            .filter(|(_, listener)| *listener == wanted)
            .map(|(path, _)| path)
            .collect();
        Some(paths.join(", ")).filter(|paths| !paths.is_empty())
    };
    let mut parts = vec![format!(
        "public on {} without a key: {}",
        network.listen,
        on(Some(Listener::Public)).unwrap_or_else(|| "nothing".to_owned())
    )];
    if let Some(admin) = network.admin_listen {
        let mut paths = on(Some(Listener::Admin)).unwrap_or_else(|| "nothing".to_owned());
        if network.admin_token.is_some() {
            paths += ", and with the admin token /keys";
        }
        parts.push(format!("on {admin}: {paths}"));
    }
    if let Some(paths) = on(None) {
        parts.push(format!("nowhere: {paths}"));
    }
    parts.join("; ")
}

fn file_limit(config: &ServerConfig) -> Finding {
    let Some(limit) = descriptors::raise(config) else {
        return Ok("no limit is known on this system".to_owned());
    };
    descriptors::shortage(limit, config).map_or_else(
        || {
            let wanted = descriptors::wanted(config);
            Ok(format!("{limit} may be open, {wanted} are needed"))
        },
        Err,
    )
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn workers(config: &ServerConfig) -> Finding {
    let cores = cores();
    let workers = config.pool.workers;
    if workers > cores {
        return Err(format!(
            "{workers} for {cores} cores: they slow each other down; set workers to 0 (one per core)"
        ));
    }
    let workers = if workers == 0 { cores } else { workers };
    Ok(format!("{workers} for {cores} cores"))
}
