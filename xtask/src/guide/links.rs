//! Checks that links lead somewhere, and that the book has every page.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::page::{self, Page};

/// The book's list of pages.
pub(super) const SUMMARY: &str = "docs/SUMMARY.md";
/// The folder of the book.
const BOOK: &str = "docs";
/// The folders whose pages are checked, besides the repository's own folder.
const FOLDERS: [&str; 5] = [BOOK, "examples", "interop", "benches", "fuzz"];

/// All pages, by path relative to the repository.
pub(super) type Pages = BTreeMap<String, (String, Page)>;

/// Reads all pages.
pub(super) fn read_all(root: &Path) -> Result<Pages> {
    let mut pages = Pages::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|name| root.join(name)).collect();
    let mut files: Vec<PathBuf> = entries(root)?.into_iter().filter(|path| path.is_file()).collect();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let page = page::read(&text);
        pages.insert(name, (text, page));
    }
    Ok(pages)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    entries
        .map(|entry| Ok(entry?.path()))
        .filter(|path: &Result<PathBuf>| {
            !path.as_ref().is_ok_and(|path| path.ends_with("node_modules") || path.ends_with("target"))
        })
        .collect()
}

/// The target of a link, relative to the repository; `None` if it is on another host.
pub(super) fn target(page: &str, to: &str) -> Option<(String, Option<String>)> {
    if to.contains("://") || to.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match to.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (to, None),
    };
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<String> = Vec::new();
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    Some((parts.join("/"), anchor))
}

/// Reports broken links, and pages that the book lacks or has twice.
pub(super) fn check(root: &Path, pages: &Pages) -> Vec<String> {
    let mut found = Vec::new();
    for (name, (_, page)) in pages {
        for link in &page.links {
            let Some((path, anchor)) = target(name, &link.to) else { continue };
            let is_there = match (pages.get(&path), anchor) {
                (Some((_, page)), Some(anchor)) => page.anchors.contains(&anchor),
                (Some(_), None) => true,
                (None, _) => root.join(&path).exists(),
            };
            if !is_there {
                found.push(format!("{name}:{}: {} leads nowhere", link.line, link.to));
            }
        }
    }
    let listed: Vec<String> = pages.get(SUMMARY).map_or_else(Vec::new, |(_, summary)| {
        summary.links.iter().filter_map(|link| target(SUMMARY, &link.to)).map(|(path, _)| path).collect()
    });
    for name in pages.keys().filter(|name| name.starts_with("docs/") && *name != SUMMARY) {
        match listed.iter().filter(|listed| *listed == name).count() {
            1 => {}
            0 => found.push(format!("{SUMMARY}: {name} is not in the book")),
            times => found.push(format!("{SUMMARY}: {name} is in the book {times} times")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(texts: &[(&str, &str)]) -> Pages {
        texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ((*text).to_owned(), page::read(text))))
            .collect()
    }

    #[test]
    fn links_are_followed_from_their_page_to_files_and_headings() {
        let pages = pages(&[
            ("docs/SUMMARY.md", "[a](a/b.md)"),
            (
                "docs/a/b.md",
                "# One\n[x](#one) [x](#two) [x](../../README.md#here) [x](c.md) [x](https://host/)",
            ),
            ("README.md", "# Here\n[x](docs/a/b.md) [x](docs/b.md)"),
        ]);
        let found = check(Path::new("/nowhere"), &pages);
        assert_eq!(
            found,
            [
                "README.md:2: docs/b.md leads nowhere",
                "docs/a/b.md:2: #two leads nowhere",
                "docs/a/b.md:2: c.md leads nowhere"
            ]
        );
    }

    #[test]
    fn the_book_has_every_page_once() {
        let pages =
            pages(&[("docs/SUMMARY.md", "[a](a.md) [a](a.md)"), ("docs/a.md", ""), ("docs/b.md", "")]);
        assert_eq!(
            check(Path::new("/nowhere"), &pages),
            [
                "docs/SUMMARY.md: docs/a.md is in the book 2 times",
                "docs/SUMMARY.md: docs/b.md is not in the book"
            ]
        );
    }
}
