//! `livecheck check`: judges image files without a server.
//!
//! `files` finds the images, `judge` works on them in threads, `report` puts outcomes into words,
//! `results` keeps them in a file that an interrupted run goes on with, `explain` draws them.

mod explain;
pub(crate) mod files;
mod glyphs;
mod judge;
mod report;
mod results;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use anyhow::{Context, Result, bail};
use clap::{
    Arg, ArgAction, ArgMatches, Command, ValueHint, builder::EnumValueParser, value_parser,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{settings, stdout};
use files::Found;
use livecheck_contract::FileName;
use report::{Format, Outcome};
use results::{Answer, Existing, Results};

/// What `check --help` ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0  every file got a verdict, live or attack
  1  at least one file got none (unreadable, no single face, too small, a face covering), or the
     reader of standard output went away
  2  nothing or not everything was judged: a wrong argument or setting, an output that cannot be
     written

A progress bar and colours appear on a terminal only; NO_COLOR switches the colours off.";

pub(crate) fn command() -> Command {
    let command = Command::new("check")
        .about("Judge image files")
        .after_help(EXIT_CODES)
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath)
                .help(
                    "Image files, or folders to search for *.jpg, *.jpeg, *.jpe, *.jfif, *.png and *.webp, except names that begin with a dot; - is standard input",
                ),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(EnumValueParser::<Format>::new())
                .help("Output format [default: table; with --output by its file extension, or json]"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .conflicts_with("format")
                .help("Short for --format json"),
        )
        .arg(
            Arg::new("details")
                .long("details")
                .action(ArgAction::SetTrue)
                .help("Include face, scores, quality, timings and findings, like the API's details=true; in a table, the findings with their hints"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("Write the results to this new file, as JSON lines or CSV"),
        )
        .arg(
            Arg::new("resume")
                .long("resume")
                .action(ArgAction::SetTrue)
                .requires("output")
                .help("Resume an interrupted run: judge the files that the --output file lacks"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .requires("output")
                .conflicts_with("resume")
                .help("Overwrite the --output file if it exists"),
        )
        .arg(
            Arg::new("explain")
                .long("explain")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath)
                .help("Write DIR/FILE.png for each photo in which faces were searched for (a verdict, 051, 052): the photo with face boxes, landmarks, scores and findings"),
        )
        .arg(
            Arg::new("workers")
                .long("workers")
                .value_name("N")
                .value_parser(value_parser!(NonZeroUsize))
                .help("Images judged in parallel [default: one per core]"),
        );
    settings::add_flags(command, |setting| {
        matches!(setting.group, "engine" | "inference")
    })
}

pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let config = settings::load(matches)?;
    let output = matches.get_one::<PathBuf>("output").map(PathBuf::as_path);
    let explain = matches.get_one::<PathBuf>("explain").map(PathBuf::as_path);
    let details = matches.get_flag("details");
    let format = format(matches, output)?;
    if details && format == Format::Csv {
        bail!("--details doesn't fit into CSV: add --format json");
    }
    let workers = match matches.get_one::<NonZeroUsize>("workers") {
        Some(workers) => *workers,
        None => thread::available_parallelism()?,
    };
    if let Some(folder) = explain {
        fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }

    let paths = matches.get_many::<PathBuf>("files").into_iter().flatten();
    let Found {
        mut files,
        passed_over,
    } = files::find(paths, explain)?;
    let passed_over = passed_over.to_string();
    if files.is_empty() {
        let mut message = format!(
            "the folders contain no images: no file name ends with {}",
            files::EXTENSIONS.join(", ")
        );
        if !passed_over.is_empty() {
            message += &format!("; {passed_over}");
        }
        bail!(message);
    }
    let mut tally = Tally::default();
    let existing = if matches.get_flag("resume") {
        Existing::Resume
    } else if matches.get_flag("force") {
        Existing::Overwrite
    } else {
        Existing::Refuse
    };
    let mut results = match output {
        Some(path) => Some(Results::open(path, format, existing)?),
        None => None,
    };
    if let Some(results) = &results {
        files.retain(|file| match results.earlier(&FileName::of(file)) {
            Some(earlier) => {
                tally.earlier += 1;
                tally.count(earlier);
                false
            }
            None => true,
        });
    }
    if !passed_over.is_empty() {
        eprintln!("{passed_over}");
    }

    let bar = progress_bar(files.len());
    if results.is_none() {
        bar.suspend(|| stdout::write(report::head(format)))?;
    }
    let show = |file: &Path, outcome: &Outcome| {
        tally.count(&Answer::of(outcome));
        let row = report::row(format, file, outcome, details);
        match &mut results {
            Some(results) => results.append(&row)?,
            None if format == Format::Table => bar.suspend(|| stdout::write_coloured(&row))?,
            None => bar.suspend(|| stdout::write(&row))?,
        }
        bar.inc(1);
        Ok(())
    };
    // Loading the models takes its time: not for a run that has nothing left to do.
    if !files.is_empty() {
        let engine = settings::engine(&config)?;
        judge::all(&engine, &files, workers, explain, details, show)?;
    }
    if let Some(results) = results {
        results.finish()?;
    }
    bar.finish_and_clear();
    if output.is_some() || io::stderr().is_terminal() {
        eprintln!("{tally}");
    }
    Ok(if tally.none.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The format asked for, or the one that fits the output.
fn format(matches: &ArgMatches, output: Option<&Path>) -> Result<Format> {
    let asked = if matches.get_flag("json") {
        Some(Format::Json)
    } else {
        matches.get_one::<Format>("format").copied()
    };
    match (asked, output) {
        (Some(Format::Table), Some(_)) => {
            bail!("a table cannot be resumed: with --output use --format json or csv")
        }
        (Some(format), _) => Ok(format),
        (None, None) => Ok(Format::Table),
        (None, Some(path)) => Ok(match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("csv") => Format::Csv,
            _ => Format::Json,
        }),
    }
}

/// On standard error, and seen only when that is a terminal.
fn progress_bar(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(u64::try_from(files).unwrap_or(u64::MAX)),
        ProgressDrawTarget::stderr(),
    );
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {per_sec}  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What became of the files, those of earlier runs included.
#[derive(Default)]
struct Tally {
    live: usize,
    attack: usize,
    /// Without a verdict, by error code.
    none: BTreeMap<String, usize>,
    /// How many of all were judged by an earlier run.
    earlier: usize,
}

impl Tally {
    fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Live => self.live += 1,
            Answer::Attack => self.attack += 1,
            Answer::None(code) => *self.none.entry(code.clone()).or_default() += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let none: usize = self.none.values().sum();
        let files = self.live + self.attack + none;
        write!(
            f,
            "{files} {}: {} live, {} attack, {none} without a verdict",
            if files == 1 { "file" } else { "files" },
            self.live,
            self.attack
        )?;
        if none > 0 {
            let codes: Vec<String> = self
                .none
                .iter()
                .map(|(code, count)| format!("{count} x {code}"))
                .collect();
            write!(f, " ({})", codes.join(", "))?;
        }
        if self.earlier > 0 {
            write!(f, "; {} of them judged by an earlier run", self.earlier)?;
        }
        Ok(())
    }
}
