//! `livecheck healthcheck`: asks a running service whether it is ready; for container runtimes.

use std::{fs, net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use livecheck_server::ServerConfig;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::settings;

/// Longest time that a ready service may take to say so.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn command() -> Command {
    let command = Command::new("healthcheck")
        .about("Ask a running service whether it is ready; exits with 0 if it is")
        .arg(
            Arg::new("url")
                .value_name("URL")
                .help("Its /readyz [default: from the settings, on this machine]"),
        )
        .arg(
            Arg::new("ca")
                .long("ca")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help(
                    "Trust the certificates in this PEM file instead of the public certificate authorities",
                ),
        )
        .arg(
            Arg::new("insecure")
                .long("insecure")
                .action(ArgAction::SetTrue)
                .conflicts_with("ca")
                .help("Don't verify the certificate: for a service on this machine"),
        );
    settings::add_flags(command, |setting| {
        ["listen", "admin_listen", "readyz", "tls_cert", "tls_key"].contains(&setting.name)
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let url = match matches.get_one::<String>("url") {
        Some(url) => url.clone(),
        None => url(&settings::load(matches)?),
    };
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .tls_config(tls(matches)?)
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
fn url(config: &ServerConfig) -> String {
    let network = &config.network;
    let (mut address, scheme) = match network.admin_listen {
        Some(admin) => (admin, "http"),
        None if network.tls_cert.is_some() => (network.listen, "https"),
        None => (network.listen, "http"),
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    format!("{scheme}://{address}/readyz")
}

/// What certificates are verified with.
fn tls(matches: &ArgMatches) -> Result<TlsConfig> {
    let roots = match matches.get_one::<PathBuf>("ca") {
        None => RootCerts::WebPki,
        Some(path) => {
            let shown = path.display();
            let pem = fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
            let certificates = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<Vec<_>, _>>()
                .with_context(|| format!("{shown} is not a PEM file"))?;
            if certificates.is_empty() {
                bail!("{shown} contains no certificate");
            }
            RootCerts::new_with_certs(&certificates)
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .disable_verification(matches.get_flag("insecure"))
        .build())
}
