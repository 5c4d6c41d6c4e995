//! Runs every target over its corpus, over mutations of it, and over large inputs. The
//! inputs are the same in every run. Needs no fuzzer, and no other compiler than the
//! program.

#![expect(
    clippy::disallowed_methods,
    reason = "the corpus is ours, and a panic names the file"
)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use fuzz::{TARGETS, Target};

/// Mutations of each target's corpus, all files together.
const MUTATIONS: usize = 4_000;
/// The longest input that is mutated: a larger one is slow, and finds nothing that a
/// smaller one does not.
const MUTABLE: usize = 8 * 1024;
/// The size of an input that repeats one piece, in bytes.
const LARGE: usize = 64 * 1024;
/// The time limit of an input, far above the real times.
const TOO_LONG: Duration = Duration::from_secs(10);
/// The number of tries: a busy machine can stall one run, but not all of them.
const TRIES: usize = 3;

/// Pieces that nest, or grow, when they are repeated.
const PIECES: [&str; 24] = [
    "[",
    "{",
    "{\"a\":",
    "{\"auths\":",
    "[[",
    "[]",
    "{a: ",
    "{a=",
    "- ",
    "? ",
    "a: ",
    "a.",
    "\"\".",
    "!a ",
    "&a ",
    "*a ",
    "'",
    "\"",
    "\\",
    "#",
    "*",
    "\n",
    "\u{fc}",
    "a = 1\n",
];

#[test]
fn request() {
    run("request");
}

#[test]
fn registries_conf() {
    run("registries_conf");
}

#[test]
fn docker_config() {
    run("docker_config");
}

#[test]
fn kubeconfig() {
    run("kubeconfig");
}

#[test]
fn secret_list() {
    run("secret_list");
}

#[test]
fn key_matcher() {
    run("key_matcher");
}

#[test]
fn image_name() {
    run("image_name");
}

fn run(name: &str) {
    let start = Instant::now();
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("every target has a test");
    let corpus = corpus(name);
    for (file, input) in &corpus {
        check(target, file, input);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for at in 0..MUTATIONS {
        let (file, input) = &corpus[at % corpus.len()];
        if input.len() <= MUTABLE {
            let other = &corpus[random.below(corpus.len())].1;
            let input = mutated(input, other, &mut random);
            check(target, &format!("mutation {at}, of {file}"), &input);
        }
    }
    for piece in PIECES {
        let input = piece.repeat(LARGE / piece.len());
        check(target, &format!("{piece:?} repeated"), input.as_bytes());
    }
    println!(
        "{name}: {} files, {MUTATIONS} mutations, {} large inputs in {:.1?}",
        corpus.len(),
        PIECES.len(),
        start.elapsed()
    );
}

/// The files of a corpus in the order of their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("every target has a corpus")
        .map(|entry| {
            let path = entry.expect("the directory can be read").path();
            let input = fs::read(&path).expect("the file can be read");
            (path.display().to_string(), input)
        })
        .collect();
    files.sort();
    assert_ne!(files.len(), 0);
    files
}

fn check(target: &Target, what: &str, input: &[u8]) {
    let quick = (0..TRIES).any(|_| {
        let start = Instant::now();
        // The panic itself has been printed already; this prints the input.
        if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
            let shown = &input[..input.len().min(2_000)];
            panic!("{}: {what}: {}", target.name, shown.escape_ascii());
        }
        start.elapsed() < TOO_LONG
    });
    assert!(quick, "{}: {what}: {TOO_LONG:?} and more", target.name);
}

fn mutated(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut input = input.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(input.len() + 1);
        let to = at + random.below(input.len() - at + 1).min(64);
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = interesting(random),
            2 => input.truncate(at),
            3 => drop(input.drain(at..to)),
            4 => {
                let chunk = input[at..to].repeat(1 + random.below(4));
                drop(input.splice(at..at, chunk));
            }
            _ => {
                let from = random.below(other.len() + 1);
                let end = from + random.below(other.len() - from + 1);
                drop(input.splice(at.., other[from..end].iter().copied()));
            }
        }
    }
    input
}

/// A byte with a meaning in one of the formats.
fn interesting(random: &mut Random) -> u8 {
    let bytes = b"\"'{}[]:,.*/@?#&!|>-=\\\n\r\t \0\x1b\x7f\xc3\xff0eA";
    bytes[random.below(bytes.len())]
}

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    /// A number below a limit, which must not be 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % limit
    }
}
