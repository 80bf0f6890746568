//! `livecheck audit`: names photos as the audit log does, so that a line can be found for one.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use livecheck_server::{audit_name, configured_image_key};
use tokio::runtime::Runtime;

use crate::{settings, stdout};

/// What decides which secret photos are hashed with.
const SETTINGS: [&str; 4] = ["database", "database_file", "image_key", "image_key_file"];

pub(crate) fn command() -> Command {
    settings::add_flags(
        Command::new("audit")
            .about("Print each photo's name in the audit log (image_hmac), to search the log for")
            .arg(
                Arg::new("photos")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .num_args(1..)
                    .required(true)
                    .help("The very file that was sent: another encoding of the same picture has another name"),
            ),
        |setting| SETTINGS.contains(&setting.name),
    )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    for warning in settings::on_command_line(matches) {
        eprintln!("warning: {warning}");
    }
    let access = settings::load(matches)?.access;
    let key = match configured_image_key(&access)? {
        Some(key) => key,
        None => Runtime::new()
            .context("the async runtime cannot start")?
            .block_on(async {
                let store = livecheck_store::open(access.database.reveal()).await?;
                store.image_key().await
            })?,
    };
    for path in matches.get_many::<PathBuf>("photos").into_iter().flatten() {
        let photo = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = audit_name(&key, &key.mac(&photo));
        stdout::write(format!("{name}  {}\n", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
