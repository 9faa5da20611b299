//! Pages and cursors of merged lists.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part, RequestId};

use crate::limits::LIST_PAGE_BYTES;
use crate::list_cache::{Item, ListKind};

/// Items of a merged list with their exposed names, page by page.
#[derive(Default)]
pub(super) struct Pages<'a>(Vec<Page<'a>>);

#[derive(Default)]
struct Page<'a> {
    items: Vec<(&'a Item, Cow<'a, Arc<str>>)>,
    /// Roughly how many bytes the items are written as.
    bytes: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn push(&mut self, item: &'a Item, exposed: Cow<'a, Arc<str>>) {
        if self.0.last().is_none_or(|page| page.bytes >= LIST_PAGE_BYTES) {
            self.0.push(Page::default());
        }
        let Some(page) = self.0.last_mut() else { return };
        page.bytes += item.json.len() + exposed.len() + 1 - item.name.len().min(exposed.len());
        page.items.push((item, exposed));
    }

    /// Each page as an answer. A merged list is valid for no other client, and all pages have the same scope (2026-07-28,
    /// server/utilities/caching).
    pub(super) fn answers(mut self, kind: ListKind, meta: Option<&[u8]>) -> Vec<Message> {
        if self.0.is_empty() {
            self.0.push(Page::default());
        }
        let last = self.0.len() - 1;
        // Answers to legacy clients are made from it by removing members.
        let answer = |(number, page): (usize, &Page<'_>)| {
            Message::result_with(&RequestId::from(0), page.bytes, |result| {
                result.put("resultType", b"\"complete\"");
                result.put("ttlMs", b"0");
                result.put("cacheScope", b"\"private\"");
                if let Some(meta) = meta {
                    result.put_meta(meta);
                }
                if number < last {
                    result.put("nextCursor", format!("\"page-{}\"", number + 1).as_bytes());
                }
                result.write(kind.member(), |text| page.write(text));
            })
        };
        self.0.iter().enumerate().map(answer).collect()
    }
}

impl Page<'_> {
    fn write(&self, text: &mut BytesMut) {
        text.put_u8(b'[');
        for (index, (item, exposed)) in self.items.iter().enumerate() {
            if index > 0 {
                text.put_u8(b',');
            }
            item.write_as(exposed, text);
        }
        text.put_u8(b']');
    }
}

/// The number of the page that a request asks for.
pub(super) fn page_of(request: &Message) -> Result<usize, ErrorObject> {
    // Null means no cursor (2026-07-28, server/utilities/pagination).
    let cursor = request.member(Part::Params, "cursor").filter(|cursor| *cursor != b"null");
    let Some(cursor) = cursor else { return Ok(0) };
    let page = std::str::from_utf8(cursor).ok().and_then(|text| text.strip_prefix("\"page-"));
    let page = page.and_then(|text| text.strip_suffix('"')).and_then(|number| number.parse().ok());
    page.ok_or_else(bad_cursor)
}

/// "Invalid cursors **SHOULD** result in an error with code -32602" (2026-07-28, server/utilities/pagination).
pub(super) fn bad_cursor() -> ErrorObject {
    ErrorObject::of_call(ErrorCode::INVALID_PARAMS, "the cursor is not one of this list", Outcome::NotSent)
}
