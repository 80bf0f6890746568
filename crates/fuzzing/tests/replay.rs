//! The corpus of every fuzz target, its regressions and its seeds, once more through the same functions.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use livecheck_fuzzing::{TARGETS, seeds};
use tar::Archive;

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");

#[test]
fn the_corpus_holds_no_finding() {
    for (target, run) in TARGETS {
        let path = Path::new(FUZZ).join("corpus").join(format!("{target}.tar"));
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut inputs = 0;
        for entry in Archive::new(file).entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            if !entry.header().entry_type().is_file() {
                continue;
            }
            eprintln!("{target}/{}", entry.path().expect("a name").display());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            run(&bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", path.display());
    }
}

#[test]
fn no_finding_comes_back() {
    let regressions = fs::read_dir(Path::new(FUZZ).join("regressions")).expect("a folder");
    let mut inputs = 0;
    for folder in regressions {
        let folder = folder.expect("an entry").path();
        let (_, run) = TARGETS
            .iter()
            .find(|(target, _)| folder.ends_with(target))
            .unwrap_or_else(|| panic!("{}: no such target", folder.display()));
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            eprintln!("{}", path.display());
            run(&fs::read(&path).expect("a readable file"));
            inputs += 1;
        }
    }
    assert!(inputs > 0);
}

#[test]
fn the_seeds_hold_no_finding() {
    let seeds = seeds::all();
    for (target, run) in TARGETS {
        let mut inputs = 0;
        for (_, name, bytes) in seeds.iter().filter(|(of, ..)| of == target) {
            eprintln!("{target}/{name}");
            run(bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "{target} has no seeds");
    }
}
