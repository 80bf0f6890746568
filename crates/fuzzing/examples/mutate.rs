//! Feeds a target mutations of its corpus for a bounded time, without instrumentation and therefore
//! blind: for the whole engine on machines where an instrumented build takes too long.
//! `cargo run --package livecheck-fuzzing --example mutate -- TARGET SECONDS FOLDER...`

use std::{
    env, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use livecheck_fuzzing::TARGETS;

fn main() -> io::Result<()> {
    let usage = || io::Error::other("usage: TARGET SECONDS FOLDER...");
    let mut arguments = env::args().skip(1);
    let target = arguments.next().ok_or_else(usage)?;
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let seconds = Duration::from_secs(seconds.ok_or_else(usage)?);
    let (_, run) = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .ok_or_else(usage)?;
    let mut corpus = Vec::new();
    for folder in arguments {
        for entry in fs::read_dir(Path::new(&folder))? {
            corpus.push(fs::read(entry?.path())?);
        }
    }
    if corpus.is_empty() {
        return Err(usage());
    }

    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ u64::from(std::process::id()));
    let started = Instant::now();
    let (mut inputs, mut slowest) = (0_u64, Duration::ZERO);
    while started.elapsed() < seconds {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(6) {
            let other = &corpus[random.below(corpus.len())];
            mutate(&mut input, other, &mut random);
        }
        let began = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            fs::write("finding", &input)?;
            return Err(io::Error::other("a finding, written to the file `finding`"));
        }
        slowest = slowest.max(began.elapsed());
        inputs += 1;
    }
    println!(
        "{target}: {inputs} inputs in {} s, slowest {} ms, no finding",
        started.elapsed().as_secs(),
        slowest.as_millis()
    );
    Ok(())
}

/// One change: a bit, a byte, a piece cut out, doubled, or taken from another input.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if input.is_empty() {
        input.extend(other);
        return;
    }
    let at = random.below(input.len());
    let end = (at + 1 + random.below(32)).min(input.len());
    match random.below(6) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.byte(),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        4 if !other.is_empty() => {
            let from = random.below(other.len());
            let piece = &other[from..(from + 32).min(other.len())];
            input.splice(at..end, piece.iter().copied());
        }
        _ => input[at] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF][random.below(6)],
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
