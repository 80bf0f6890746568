//! What `evaluate` and `calibrate` share: the labelled photos, judged by the engine.

use std::{
    io::{self, IsTerminal},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use livecheck_engine::{Engine, Rate, Rejection, Verdict};
use livecheck_evaluate::{
    data::{self, Images, Presentation},
    review::ReviewBand,
};

use crate::ordered;

/// Labelled photos and where they lie.
pub(crate) struct Labelled {
    /// Name of the manifest or folder.
    pub(crate) name: String,
    pub(crate) presentations: Vec<Presentation>,
    images: Images,
}

/// The photos, as an argument.
pub(crate) fn data_argument() -> Arg {
    Arg::new("data")
        .value_name("DATA")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::AnyPath)
        .help(
            "Labelled photos: a manifest (CSV with the columns image and label, ideally also type, source and subject), or a folder that contains live/, print/, screen/ or attack/",
        )
}

pub(crate) fn images_argument() -> Arg {
    Arg::new("images")
        .long("images")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::AnyPath)
        .help("Folder or tar archive with the manifest's images [default: NAME.tar beside NAME.csv, or the manifest's folder]")
}

pub(crate) fn workers_argument() -> Arg {
    Arg::new("workers")
        .long("workers")
        .value_name("N")
        .value_parser(value_parser!(NonZeroUsize))
        .help("Images judged in parallel [default: one per core]")
}

/// The photos that the arguments name, all of them there.
pub(crate) fn labelled(matches: &ArgMatches, path: &Path) -> Result<Labelled> {
    let shown = || path.display().to_string();
    let images = matches.get_one::<PathBuf>("images");
    let (presentations, place) = if path.is_dir() {
        (
            data::read_folder(path).with_context(shown)?,
            path.to_owned(),
        )
    } else {
        let place = images.cloned().unwrap_or_else(|| Images::beside(path));
        (data::read_manifest(path).with_context(shown)?, place)
    };
    let images = Images::open(&place)?;
    images.check(&presentations).with_context(shown)?;
    Ok(Labelled {
        name: data::name_of(path),
        presentations,
        images,
    })
}

pub(crate) fn workers(matches: &ArgMatches) -> Result<NonZeroUsize> {
    match matches.get_one::<NonZeroUsize>("workers") {
        Some(workers) => Ok(*workers),
        None => Ok(thread::available_parallelism()?),
    }
}

/// Judges every photo in threads, calls `also` on the file of each that got a verdict, and hands the
/// outcomes to `take` in their order.
///
/// # Errors
/// A file that cannot be read, or an error of `take`.
pub(crate) fn judge<T: Send>(
    engine: &Engine,
    labelled: &Labelled,
    workers: NonZeroUsize,
    also: impl Fn(&Presentation, &[u8]) -> T + Sync,
    mut take: impl FnMut(&Presentation, Result<(Verdict, T), Rejection>),
) -> Result<()> {
    let limit = engine.config().limits.max_file_bytes;
    let bar = progress_bar(labelled.presentations.len());
    let judged = ordered::run(
        &labelled.presentations,
        workers,
        |presentation| -> io::Result<Result<(Verdict, T), Rejection>> {
            let file = labelled.images.read(&presentation.image, limit)?;
            Ok(engine
                .check(&file)
                .map(|verdict| (verdict, also(presentation, &file))))
        },
        |presentation, outcome| {
            let outcome =
                outcome.with_context(|| format!("{} cannot be read", presentation.image))?;
            take(presentation, outcome);
            bar.inc(1);
            Ok(())
        },
    );
    bar.finish_and_clear();
    judged
}

/// On standard error, and seen only when that is a terminal.
pub(crate) fn progress_bar(files: usize) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(u64::try_from(files).unwrap_or(u64::MAX)), target);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {per_sec}  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// `--force`, for commands that write files.
pub(crate) fn force_argument() -> Arg {
    Arg::new("force")
        .long("force")
        .action(ArgAction::SetTrue)
        .help("Overwrite files that exist")
}

/// Before anything is judged: files of an earlier run stay unless `--force` is given.
///
/// # Errors
/// The first file that exists.
pub(crate) fn refuse_to_overwrite(matches: &ArgMatches, outputs: &[&Path]) -> Result<()> {
    if matches.get_flag("force") {
        return Ok(());
    }
    // A device such as /dev/stdout is there to be written to.
    match outputs.iter().find(|path| path.is_file()) {
        Some(path) => bail!(
            "{} exists: add --force to overwrite it, or give another output",
            path.display()
        ),
        None => Ok(()),
    }
}

/// Who falls into a review band and the error rates outside it, a line each after `indent`.
pub(crate) fn review_band(band: &ReviewBand, indent: &str) -> String {
    let share = |rate: &Rate| {
        if rate.of == 0 {
            "none judged".to_owned()
        } else {
            format!("{}/{} = {:.1} %", rate.errors, rate.of, rate.rate * 100.0)
        }
    };
    let mut held = format!("live {}", share(&band.bona_fide));
    let mut outside = format!("BPCER {}", share(&band.bpcer_outside));
    for (species, rate) in &band.attacks {
        held += &format!(", {species} {}", share(rate));
    }
    for (species, rate) in &band.apcer_outside {
        outside += &format!(", APCER {species} {}", share(rate));
    }
    format!(
        "{indent}review band {} to {}: {held}\n{indent}outside it: {outside}\n",
        band.from, band.below
    )
}
