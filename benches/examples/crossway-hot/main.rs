//! Runs each hot path a given number of times, for `cargo xtask instructions`, which counts their instructions.
//!
//! `crossway-hot --list` lists them, `crossway-hot NAME COUNT` runs one. The difference of two counts excludes the one-time costs.

use std::io::Write as _;
use std::process::ExitCode;

mod codecs;
mod http;
mod pipe;

/// One hot path.
struct Path {
    name: &'static str,
    /// The least number of runs, after which tables and buffers have reached their final size.
    few: u64,
    /// The number of further runs: enough for an exact count, and quick under an emulator.
    more: u64,
    run: fn(u64),
}

const PATHS: [Path; 11] = [
    Path { name: "envelope-300b", few: 100, more: 5_000, run: codecs::envelope_300b },
    Path { name: "envelope-64k", few: 10, more: 200, run: codecs::envelope_64k },
    Path { name: "envelope-64k-non-ascii", few: 10, more: 100, run: codecs::envelope_64k_non_ascii },
    Path { name: "envelope-64k-escapes", few: 10, more: 50, run: codecs::envelope_64k_escapes },
    Path { name: "line", few: 100, more: 5_000, run: codecs::line },
    Path { name: "sse-decode", few: 100, more: 5_000, run: codecs::sse_decode },
    Path { name: "sse-encode", few: 100, more: 5_000, run: codecs::sse_encode },
    Path { name: "splice", few: 100, more: 5_000, run: codecs::splice },
    Path { name: "calls", few: 100, more: 5_000, run: codecs::calls },
    Path { name: "mux", few: 100, more: 2_000, run: pipe::round_trips },
    Path { name: "streamable-http", few: 100, more: 1_000, run: http::calls },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = |name: &str| PATHS.iter().find(|path| path.name == name);
    match words[..] {
        ["--list"] => {
            let mut out = std::io::stdout().lock();
            for Path { name, few, more, .. } in PATHS {
                // A closed stdout is no error.
                let _ = writeln!(out, "{name} {few} {more}");
            }
            ExitCode::SUCCESS
        }
        [name, count] => match (found(name), count.parse()) {
            (Some(path), Ok(count)) => {
                (path.run)(count);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    let _ = writeln!(std::io::stderr(), "usage: crossway-hot --list | crossway-hot NAME COUNT");
    ExitCode::from(2)
}
