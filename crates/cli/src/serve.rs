//! `livecheck serve`, and the demonstration that `livecheck` alone starts.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{ArgMatches, Command};
use livecheck_server::{
    Certificate, Server, ServerConfig,
    config::{EndpointsConfig, Exposure, memory_limit},
    telemetry,
};
use livecheck_store::{Clock, KeySelector, NewKey, Store, StoreError, SystemClock};
use tokio::runtime::Runtime;

use crate::{descriptors, settings};

/// Name of the key that the demonstration makes.
const DEMO_KEY: &str = "demo";

/// The demonstration's database, in the current folder.
const DEMO_DATABASE: &str = "livecheck-demo.db";

/// How long that key works: long enough to try things, short enough to be forgotten.
const DEMO_KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Where the demonstration listens unless a setting says otherwise: on this machine alone.
const DEMO_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

pub(crate) fn command() -> Command {
    settings::add_flags(
        Command::new("serve").about("Start the HTTP service"),
        |_| true,
    )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let config = settings::load(matches)?;
    let mut warnings = settings::on_command_line(matches);
    warnings.extend(config.exposed_files(settings::file(matches).as_deref()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = config.memory_bound(cores).beyond(memory_limit());
    warnings.extend(memory.map(|warning| format!("memory: {warning}")));
    warnings.extend(livecheck_store::unchecked_certificate(
        config.access.database.reveal(),
    ));
    warnings.extend(config.open_admin_listener());
    serve(config, &warnings, || settings::load(matches), false)
}

/// Starts on this machine with a database of its own, and makes and prints a key.
///
/// Whoever has set up a database or an address for others to reach means `livecheck serve`: its keys
/// are not to be touched, and a key that is printed is not for everybody.
pub(crate) fn demonstration() -> Result<ExitCode> {
    let mut config = settings::without_flags()?;
    let defaults = ServerConfig::default();
    if config.access.database != defaults.access.database {
        bail!(
            "`livecheck` without a command is a demo with its own database, but the settings name one: start the service with `livecheck serve`"
        );
    }
    config.access.database = DEMO_DATABASE.into();
    let listen = &mut config.network.listen;
    if *listen == defaults.network.listen {
        *listen = SocketAddr::from(DEMO_LISTEN);
    } else if !listen.ip().is_loopback() {
        bail!(
            "`livecheck` without a command is a demo that prints its key and listens on this machine only, but the settings name {listen}: start the service with `livecheck serve`"
        );
    }
    serve(config, &[], settings::without_flags, true)
}

fn serve(
    config: ServerConfig,
    warnings: &[String],
    reload: impl Fn() -> Result<ServerConfig>,
    demonstrate: bool,
) -> Result<ExitCode> {
    if SystemClock::new().now().as_millis() < 0 {
        bail!(
            "this machine's clock is set before 1970, so neither certificates nor sessions can be checked: set the clock"
        );
    }
    if let Some(reason) = config.forbidden_admin_listener() {
        bail!("{reason}");
    }
    telemetry::init(&config.log)?;
    telemetry::quiet_panics();
    if let Some(shortage) =
        descriptors::raise(&config).and_then(|limit| descriptors::shortage(limit, &config))
    {
        tracing::warn!("file descriptors: {shortage}");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    forbid_core_dumps();
    let engine = settings::engine(&config)?;
    tracing::info!(runtime = %settings::describe(engine.runtime()), "models loaded");
    Runtime::new()
        .context("the async runtime cannot start")?
        .block_on(async {
            let store = livecheck_store::open(config.access.database.reveal()).await?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
            let tls = config.network.tls_cert.is_some();
            let endpoints = config.endpoints.clone();
            let server = Server::bind(
                config,
                Arc::new(engine),
                Arc::clone(&store),
                Arc::clone(&clock),
            )
            .await?;
            if demonstrate {
                let scheme = if tls { "https" } else { "http" };
                let origin = format!("{scheme}://{}", server.address()?);
                let key = demo_key(store.as_ref(), clock.as_ref()).await?;
                print_welcome(&origin, &key, &endpoints);
            }
            let certificate = server.certificate();
            tokio::select! {
                ended = server.run(told_to_stop()) => ended?,
                () = told_to_reload(&reload, certificate.as_ref()) => {}
            }
            Ok(ExitCode::SUCCESS)
        })
}

/// A dump of this process would hold photos and keys.
fn forbid_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        if let Err(error) = setrlimit(Resource::Core, none) {
            tracing::warn!(%error, "core dumps could not be disabled");
        }
    }
}

/// A fresh key; the one of the last demonstration stops working.
async fn demo_key(store: &dyn Store, clock: &dyn Clock) -> Result<String> {
    let now = clock.now();
    match store
        .revoke_key(&KeySelector::Name(DEMO_KEY.to_owned()), now)
        .await
    {
        Ok(_) | Err(StoreError::KeyNotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let key = NewKey {
        expires_at: Some(now.plus(DEMO_KEY_LIFETIME)),
        ..NewKey::named(DEMO_KEY)
    };
    let (_, key) = store.create_key(key, now).await?;
    Ok(key.reveal().to_owned())
}

/// Pages that are switched off or on the admin listener are not named.
fn print_welcome(origin: &str, key: &str, endpoints: &EndpointsConfig) {
    let is_here = |exposure| exposure == Exposure::Public;
    println!(
        "\nLivecheck {version} listens on {origin}\n\n\
         demo key (works for 24 hours):\n  {key}\n\n\
         judge a selfie:\n  curl -H 'x-api-key: {key}' -F image=@selfie.jpg {origin}/liveness/\n",
        version = env!("CARGO_PKG_VERSION"),
    );
    if is_here(endpoints.demo) {
        println!(
            "no photo at hand? This command checks a drawn face that comes with the program:\n  \
             curl -s {origin}/demo/sample.jpg | curl -H 'x-api-key: {key}' -F image=@- {origin}/liveness/\n  \
             Expect \"success\":true with a score. Nobody real is in it, so neither verdict is wrong: \
             it shows what an answer looks like.\n\n\
             capture page:\n  {origin}/demo#key={key}\n"
        );
    }
    if is_here(endpoints.docs) {
        println!("API documentation:\n  {origin}/docs\n");
    }
}

/// At SIGHUP reads certificate, key and `log_level` again; never done.
async fn told_to_reload(
    settings: &impl Fn() -> Result<ServerConfig>,
    certificate: Option<&Certificate>,
) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::hangup()) {
            Ok(mut hangup) => {
                while hangup.recv().await.is_some() {
                    if let Some(certificate) = certificate {
                        certificate.reload();
                    }
                    let level = settings().and_then(|config| {
                        telemetry::set_level(&config.log.log_level)?;
                        Ok(config.log.log_level)
                    });
                    match level {
                        Ok(log_level) => tracing::warn!(log_level, "log_level was read again"),
                        Err(error) => tracing::warn!(
                            error = format!("{error:#}"),
                            "the settings can't be read again: log_level stays"
                        ),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "SIGHUP cannot be caught"),
        }
    }
    #[cfg(not(unix))]
    let _ = (settings, certificate);
    std::future::pending::<()>().await;
}

/// Done at SIGTERM or Ctrl-C.
async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught");
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
    tracing::info!("stopping");
}
