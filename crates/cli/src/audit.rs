//! `livecheck audit`: names photos as the audit log does, so that a line can be found for one, and
//! checks logs.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use livecheck_server::{audit_name, config::AccessConfig, configured_image_key, verify_audit};
use livecheck_store::ImageKey;
use tokio::runtime::Runtime;

use crate::{settings, stdout};

/// What decides which secret photos are hashed with.
const SETTINGS: [&str; 4] = ["database", "database_file", "image_key", "image_key_file"];

pub(crate) fn command() -> Command {
    let with_settings =
        |command: Command| settings::add_flags(command, |setting| SETTINGS.contains(&setting.name));
    let verify = Command::new("verify")
        .about("Verify that an audit log is as the service wrote it, with nothing changed, removed or inserted; exits with 1 if not")
        .arg(
            Arg::new("log")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .required(true)
                .help("The log, as named by `audit_file`; its rotated parts are read first"),
        )
        .arg(
            Arg::new("former")
                .long("former-key-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
                .help("File with a former secret for hashing images (64 hexadecimal digits)"),
        );
    with_settings(
        Command::new("audit")
            .about("Print the image_hmac of each photo, to search the audit log for")
            .arg(
                Arg::new("photos")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .num_args(1..)
                    .required(true)
                    .help("The file exactly as it was sent: another encoding of the same image has another HMAC"),
            )
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
            .subcommand(with_settings(verify)),
    )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    if let Some(("verify", matches)) = matches.subcommand() {
        return verify(matches);
    }
    let key = image_key(matches)?;
    for path in matches.get_many::<PathBuf>("photos").into_iter().flatten() {
        let photo = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = audit_name(&key, &key.mac(&photo));
        stdout::write(format!("{name}  {}\n", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The secret that images are hashed with.
fn image_key(matches: &ArgMatches) -> Result<ImageKey> {
    for warning in settings::on_command_line(matches) {
        eprintln!("warning: {warning}");
    }
    let access = settings::load(matches)?.access;
    if let Some(key) = configured_image_key(&access)? {
        return Ok(key);
    }
    let database = access.database.reveal();
    if let Some(file) = livecheck_store::missing_file(database) {
        bail!(
            "the database {} does not exist, so it holds no secret: name the service's database with --database, or its secret with --image-key-file",
            file.display()
        );
    }
    Runtime::new()
        .context("the async runtime cannot start")?
        .block_on(async {
            let store = livecheck_store::open(database).await?;
            Ok(store.image_key().await?)
        })
}

fn verify(matches: &ArgMatches) -> Result<ExitCode> {
    let log: &PathBuf = matches.get_one("log").context("no file was given")?;
    let mut secrets = vec![image_key(matches)?];
    for path in matches.get_many::<PathBuf>("former").into_iter().flatten() {
        let access = AccessConfig {
            image_key_file: Some(path.clone()),
            ..AccessConfig::default()
        };
        secrets.extend(configured_image_key(&access)?);
    }
    let report =
        verify_audit(log, &secrets).with_context(|| format!("{} cannot be read", log.display()))?;
    let mut text = String::new();
    for torn in &report.torn {
        text += &format!("torn   {torn}: cut short by a kill or a full disk, or damaged\n");
    }
    for problem in &report.problems {
        text += &format!("WRONG  {problem}\n");
    }
    for (fingerprint, lines) in &report.other_secrets {
        text += &format!(
            "WRONG  {lines} lines use the secret {fingerprint}, which was not given: add --former-key-file\n"
        );
    }
    if report.unchained > 0 {
        text += &format!(
            "old    the first {} lines are from a release that didn't number them\n",
            report.unchained
        );
    }
    if let (Some((first, from)), Some((last, to))) = (&report.first, &report.last) {
        text += &format!(
            "{} lines are intact, in files: {}; numbers {first} to {last}, {from} to {to}\n",
            report.intact, report.files
        );
        if *first > 1 {
            text += &format!(
                "The lines up to number {} were rotated away or removed; for number {first} only the chain value was checked.\n",
                first - 1
            );
        }
        text += "Only the service knows whether lines are missing at the end: compare the last number with its log and metrics.\n";
    } else {
        text += "no line was found\n";
    }
    stdout::write(text)?;
    let intact = report.problems.is_empty() && report.other_secrets.is_empty();
    Ok(if intact {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
