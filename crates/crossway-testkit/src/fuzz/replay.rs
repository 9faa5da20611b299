//! Replays kept fuzzing inputs as ordinary tests.

use std::cell::Cell;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;

use super::seeds;

/// Runs a target on each input in `fuzz/corpus/<target>`, and on its seed inputs.
///
/// # Panics
///
/// When the corpus can't be read or is empty; when the target or one of its tasks panics, with the name of the input.
pub fn replay(target: &str, run: impl Fn(&[u8])) {
    let kept = kept(target);
    assert!(!kept.is_empty(), "the corpus of {target} is empty");
    let seeds = seeds::of(target).into_iter().enumerate();
    for (name, input) in kept.into_iter().chain(seeds.map(|(at, seed)| (format!("seed {at}"), seed))) {
        let before = panics();
        let is_ok = catch_unwind(AssertUnwindSafe(|| run(&input))).is_ok();
        if !is_ok || panics() > before {
            panic!("{target} fails on {name}: {}", input.escape_ascii());
        }
    }
}

/// The number of panics in this thread so far: a panic in a task of a runtime does not leave its task.
fn panics() -> usize {
    thread_local! {
        static PANICS: Cell<usize> = const { Cell::new(0) };
    }
    static COUNTED: Once = Once::new();
    COUNTED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            print(panic);
        }));
    });
    PANICS.get()
}

/// The folder of a target's corpus.
#[must_use]
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = corpus(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut kept: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", directory.display())).path();
            let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), input)
        })
        .collect();
    kept.sort();
    kept
}
