//! The table of bad input in the book names the tests that hold it.

use std::path::{Path, PathBuf};

/// The tests that the table names, as `crate::test`.
fn named(table: &str) -> Vec<(String, String)> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end().trim_end_matches('|').rsplit('|').next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names
        .filter_map(|name| name.split_once("::"))
        .map(|(of, test)| (of.to_owned(), test.to_owned()))
        .collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn each_test_that_the_table_of_bad_input_names_is_there() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = std::fs::read_to_string(workspace.join("docs/bad-input.md")).unwrap();
    let named = named(&table);
    assert!(named.len() > 40, "the table is read");
    for (of, test) in named {
        let mut files = Vec::new();
        for part in ["src", "tests"] {
            sources(&workspace.join("crates").join(&of).join(part), &mut files);
        }
        let signature = format!("fn {test}(");
        let is_there = files.iter().any(|file| std::fs::read_to_string(file).unwrap().contains(&signature));
        assert!(is_there, "{of} has no test {test}");
    }
}
