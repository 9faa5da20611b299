//! Parses a page: its fences, headings and links, with their lines.

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The parts of a page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) blocks: Vec<Block>,
    /// The headings, as links name them.
    pub(super) anchors: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// A fence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of the opening backticks.
    pub(super) line: usize,
    pub(super) info: String,
    pub(super) text: String,
}

/// A link, or a picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) to: String,
    /// The range of the whole link in the page.
    pub(super) at: Range<usize>,
}

/// Parses a page. Fences in comments, which readers do not see, count too.
pub(super) fn read(text: &str) -> Page {
    let mut page = Page::default();
    let lines = Lines::new(text);
    read_part(text, 0, &lines, &mut page);
    page
}

fn read_part(text: &str, offset: usize, lines: &Lines, page: &mut Page) {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut block: Option<Block> = None;
    let mut heading: Option<String> = None;
    let mut comment: Option<(usize, String)> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = lines.line(offset + range.start);
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                block = Some(Block { line, info, text: String::new() });
            }
            Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let name = slug(&heading.take().unwrap_or_default());
                let times = taken.entry(name.clone()).and_modify(|times| *times += 1).or_insert(0);
                page.anchors.push(if *times == 0 { name } else { format!("{name}-{times}") });
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let at = offset + range.start..offset + range.end;
                page.links.push(Link { line, to: dest_url.into_string(), at });
            }
            Event::Start(Tag::HtmlBlock) => comment = Some((offset + range.start, String::new())),
            Event::Html(html) => {
                if let Some((_, text)) = &mut comment {
                    text.push_str(&html);
                }
            }
            Event::End(TagEnd::HtmlBlock) => {
                if let Some((start, html)) = comment.take()
                    && let Some(inside) =
                        html.trim_end().strip_prefix("<!--").and_then(|it| it.strip_suffix("-->"))
                {
                    read_part(inside, start + "<!--".len(), lines, page);
                }
            }
            Event::Text(part) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&part);
                } else if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            _ => {}
        }
    }
}

/// The anchor of a heading, on which GitHub and mdBook agree.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The offsets where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# One `two`, three\n\nSee [that](x.md#y).\n\n```sh\ntrue\n```\n\n<!--\n```sh exit=1\nfalse\n```\n-->\n\n\
                        ## Again\n\n## Again\n\n- in a list\n\n  ```text\n  a\n  ```\n";

    #[test]
    fn fences_are_found_with_their_lines_in_lists_and_in_comments_too() {
        let page = read(PAGE);
        let blocks: Vec<_> =
            page.blocks.iter().map(|block| (block.line, block.info.as_str(), block.text.as_str())).collect();
        assert_eq!(blocks, [(5, "sh", "true\n"), (10, "sh exit=1", "false\n"), (21, "text", "a\n")]);
    }

    #[test]
    fn links_and_headings_are_found_as_they_are_named() {
        let page = read(PAGE);
        assert_eq!(page.anchors, ["one-two-three", "again", "again-1"]);
        assert_eq!(page.links.len(), 1);
        assert_eq!((page.links[0].line, page.links[0].to.as_str()), (3, "x.md#y"));
    }
}
