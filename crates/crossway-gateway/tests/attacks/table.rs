//! Each line of the table of attacks has its test, and each test its line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The tests that the lines name: what stands in backquotes in their last cell.
fn told(table: &str) -> (BTreeSet<String>, usize) {
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| attack"))
        .collect();
    let mut names = BTreeSet::new();
    for row in &rows {
        let cells: Vec<&str> = row.trim_end().trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "a line has an attack, what was tried, what came back, and tests: {row}");
        let of_row: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!of_row.is_empty(), "a line without a test: {row}");
        names.extend(of_row.into_iter().map(str::to_owned));
    }
    (names, rows.len())
}

/// The tests of this crate, without those about the table.
fn there() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut names = BTreeSet::new();
    for file in files.iter().filter(|file| !file.ends_with("table.rs")) {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.lines().count() < 500, "{} is too long to be read", file.display());
        // What is ignored is a program that the tests start.
        for after in text.split("#[test]\n").skip(1).filter(|after| !after.starts_with("#[ignore")) {
            let (_, rest) = after.split_once("fn ").unwrap();
            names.insert(rest.split('(').next().unwrap().to_owned());
        }
    }
    names
}

#[test]
fn each_line_of_the_table_has_its_test_and_each_test_its_line() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attacks.md");
    let (told, lines) = told(&fs::read_to_string(table).unwrap());
    let there = there();
    assert!(lines >= 30 && there.len() >= 30, "{lines} lines, {} tests", there.len());
    let (untold, untested): (Vec<_>, Vec<_>) =
        (there.difference(&told).collect(), told.difference(&there).collect());
    assert!(untold.is_empty(), "tests without a line in docs/attacks.md: {untold:?}");
    assert!(untested.is_empty(), "lines of docs/attacks.md without a test: {untested:?}");
}
