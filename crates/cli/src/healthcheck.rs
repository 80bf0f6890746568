//! `livecheck healthcheck`: asks a running service whether it is ready; for container runtimes.

use std::{net::IpAddr, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::{Arg, ArgMatches, Command};
use livecheck_server::ServerConfig;

use crate::settings;

/// Longest time that a ready service may take to say so.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn command() -> Command {
    let command =
        Command::new("healthcheck")
            .about("Ask a running service whether it is ready; exits with 0 when it is")
            .arg(Arg::new("url").value_name("URL").help(
                "Its /readyz over plain HTTP [default: as the settings say, on this machine]",
            ));
    settings::add_flags(command, |setting| {
        ["listen", "admin_listen", "readyz"].contains(&setting.name)
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let url = match matches.get_one::<String>("url") {
        Some(url) => url.clone(),
        None => url(&settings::load(matches)?)?,
    };
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .new_agent();
    match agent.get(&url).call() {
        Ok(mut response) if response.status() == 200 => {
            println!("{}", response.body_mut().read_to_string()?.trim());
            Ok(ExitCode::SUCCESS)
        }
        Ok(mut response) => {
            let body = response.body_mut().read_to_string().unwrap_or_default();
            eprintln!(
                "livecheck: {url} answers {}: {}",
                response.status(),
                body.trim()
            );
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            eprintln!("livecheck: {url} does not answer: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Where the service with these settings answers `/readyz`.
fn url(config: &ServerConfig) -> Result<String> {
    let network = &config.network;
    let mut address = match network.admin_listen {
        Some(admin) => admin,
        None if network.tls_cert.is_some() => bail!(
            "the service speaks TLS: give it an admin_listen address, or give this command a URL"
        ),
        None => network.listen,
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    Ok(format!("http://{address}/readyz"))
}
