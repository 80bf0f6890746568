//! The corpus of every fuzz target, and its seeds, once more through the same functions.

use std::{fs, path::Path};

use livecheck_fuzzing::{TARGETS, seeds};

#[test]
fn the_corpus_holds_no_finding() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in TARGETS {
        let folder = corpus.join(target);
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut inputs = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            eprintln!("{}", path.display());
            run(&fs::read(&path).expect("a readable file"));
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", folder.display());
    }
}

#[test]
fn the_seeds_hold_no_finding() {
    let seeds = seeds::all();
    for (target, run) in TARGETS {
        let mut inputs = 0;
        for (_, name, bytes) in seeds.iter().filter(|(of, ..)| *of == target) {
            eprintln!("{target}/{name}");
            run(bytes);
            inputs += 1;
        }
        assert!(inputs > 0, "{target} has no seeds");
    }
}
