//! Edits members of a message's objects and leaves the other bytes as they are.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use crate::message::Edit;
use crate::scan::{self, Member, Members, Span};
use crate::text::Text;
use crate::{Kind, Limits, Message, ParseError};

/// An object in a message whose members can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// `params` of a request or a notification.
    Params,
    /// `result` of a response.
    Result,
    /// `params._meta` or `result._meta`.
    Meta,
}

/// A part that should be changed is not an object: an array, a text, a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an object")]
pub struct NotAnObject(pub Part);

/// The positions of the members of a part, in a message and in its clones.
///
/// Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Layout {
    part: Part,
    members: Arc<Members>,
}

impl Layout {
    pub(crate) fn of(part: Part, members: Arc<Members>) -> Self {
        Self { part, members }
    }
}

impl Message {
    /// The members of a part: first those that were [put in](Message::edit), then the original ones that were
    /// not removed, in their order. Names are decoded, values are JSON text. Empty if the part is absent or
    /// not an object. A change within a member, such as an edit of `_meta` within `params`, is not visible in
    /// its value; see [`reread`](Message::reread).
    pub fn members(&self, part: Part) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
        let put = self.put_in(part);
        let of_put = scan::bare_members(put);
        let of_put = of_put.into_iter().map(|member| (name_of(put, member.name), &put[member.value.range()]));
        let span = self.original_span(part);
        let text = self.raw(span).unwrap_or_default();
        let came = scan::members(text).into_iter();
        let came =
            came.filter_map(move |member| Some((name_of(text, member.name), self.value_of(span, member)?)));
        of_put.chain(came)
    }

    /// The positions of the members of a part, for callers that read them and then [edit](Message::edit_at)
    /// them: results may be large, and are scanned once for both.
    #[must_use]
    pub fn layout(&self, part: Part) -> Layout {
        self.noted_layout(part)
            .cloned()
            .unwrap_or_else(|| Layout::of(part, Arc::new(self.scan_members(part))))
    }

    fn scan_members(&self, part: Part) -> Members {
        scan::members(self.raw(self.part_span(part)).unwrap_or_default())
    }

    /// The layout of a part, if it was noted.
    fn noted_layout(&self, part: Part) -> Option<&Layout> {
        self.0.noted.as_ref().filter(|noted| noted.part == part)
    }

    /// Keeps the layout of a part for all later clones of this message, so that none of them is scanned for
    /// it again. For messages that are sent many times. Only the layout that was noted last is kept.
    pub fn note_layout(&mut self, part: Part) {
        self.0.noted = Some(self.layout(part));
    }

    /// The member of this name, by a layout of this message. Returns the same as [`member`](Message::member).
    #[must_use]
    pub fn member_at(&self, layout: &Layout, name: &str) -> Option<&[u8]> {
        self.find(layout.part, &layout.members, name)
    }

    /// One [member](Message::members) of a part, as JSON text. If several have this name, the last one, as
    /// most readers take it.
    #[must_use]
    pub fn member(&self, part: Part, name: &str) -> Option<&[u8]> {
        match self.noted_layout(part) {
            Some(layout) => self.find(part, &layout.members, name),
            None => self.find(part, &self.scan_members(part), name),
        }
    }

    fn find(&self, part: Part, members: &[Member], name: &str) -> Option<&[u8]> {
        let span = self.original_span(part);
        let came = self.raw(span).and_then(|text| {
            let of_name = members.iter().rev().filter(|member| is_named(text, member, name));
            of_name.filter_map(|member| self.value_of(span, *member)).next()
        });
        came.or_else(|| self.put_member(part, name))
    }

    /// The value of a member of the part at this position; `None` if it was removed.
    fn value_of(&self, part: Span, member: Member) -> Option<&[u8]> {
        let base = part.range().start;
        let (name, value) = (member.name.shifted(base), member.value.shifted(base));
        (!self.is_removed(name.range().start, value.range().end)).then(|| self.part(value))
    }

    /// The members that were put into a part, separated by commas, perhaps with one more at the end. Empty if
    /// there are none.
    pub(crate) fn put_in(&self, part: Part) -> &[u8] {
        if !self.0.edits.iter().any(|edit| edit.span.range().is_empty()) {
            return b"";
        }
        let span = self.original_span(part);
        if !span.is_absent() {
            return self.put_at(span.range().start + 1);
        }
        // A part that was created, in the text that was put into the object around it.
        let made = self.created(part).and_then(|made| made.strip_prefix(b"{")?.strip_suffix(b"}"));
        made.unwrap_or_default()
    }

    /// A part that was put in as a whole.
    fn created(&self, part: Part) -> Option<&[u8]> {
        let (around, name) = match part {
            Part::Meta if self.0.kind == Kind::Result => (self.put_in(Part::Result), "_meta"),
            Part::Meta => (self.put_in(Part::Params), "_meta"),
            Part::Params => (self.put_at(self.brace() + 1), "params"),
            Part::Result => return None,
        };
        let made = scan::bare_members(around).into_iter().find(|member| is_named(around, member, name))?;
        Some(&around[made.value.range()])
    }

    fn put_at(&self, at: usize) -> &[u8] {
        self.0.edits.iter().find(|edit| edit.span == Span::new(at, at)).map_or(b"", |edit| &edit.with)
    }

    /// The position of the message's own opening brace.
    fn brace(&self) -> usize {
        self.0.text.iter().position(|byte| *byte == b'{').unwrap_or_default()
    }

    /// The position of a part that was in the original message and was not removed.
    fn original_span(&self, part: Part) -> Span {
        let span = self.part_span(part);
        if self.is_gone(span) { Span::default() } else { span }
    }

    /// Removes the members named in `remove` from a part, and puts those of `put` first in it, replacing
    /// members with the same names. Values are JSON text, and must be valid. An absent part is created if
    /// there is anything to put into it.
    ///
    /// Nothing else is copied or changed: this records splices, like [`set_id`](Message::set_id). Readers of
    /// [members](Message::members), and of single ones such as [`name`](Message::name), see the change;
    /// readers of a whole part, such as [`meta`](Message::meta), still return the original text until
    /// [`reread`](Message::reread) is called.
    ///
    /// # Errors
    ///
    /// When the part exists and is not an object, such as `params` that are an array. The message is then
    /// unchanged.
    pub fn edit(&mut self, part: Part, remove: &[&str], put: &[(&str, &[u8])]) -> Result<(), NotAnObject> {
        match self.noted_layout(part).cloned() {
            Some(layout) => self.edit_members(part, &layout.members, remove, put),
            None => self.edit_members(part, &self.scan_members(part), remove, put),
        }
    }

    /// The same, by a layout of this message. A layout stays valid however often the message is edited.
    ///
    /// # Errors
    ///
    /// As [`edit`](Message::edit).
    pub fn edit_at(
        &mut self,
        layout: &Layout,
        remove: &[&str],
        put: &[(&str, &[u8])],
    ) -> Result<(), NotAnObject> {
        self.edit_members(layout.part, &layout.members, remove, put)
    }

    fn edit_members(
        &mut self,
        part: Part,
        members: &[Member],
        remove: &[&str],
        put: &[(&str, &[u8])],
    ) -> Result<(), NotAnObject> {
        let span = self.original_span(part);
        let Some(text) = self.raw(span) else { return self.make(part, remove, put) };
        if text.first() != Some(&b'{') {
            return Err(NotAnObject(part));
        }
        let base = span.range().start;
        let is_gone = |text: &[u8], member: &Member| {
            let mut names = remove.iter().chain(put.iter().map(|(key, _)| key));
            names.any(|name| is_named(text, member, name))
        };
        let mut kept_before: Option<usize> = None;
        let mut run: Option<(usize, usize)> = None;
        let mut gaps: SmallVec<[Span; 4]> = SmallVec::new();
        for member in members {
            let (start, end) = (base + member.name.range().start, base + member.value.range().end);
            if is_gone(text, member) || self.is_removed(start, end) {
                run = Some((run.map_or(start, |(first, _)| first), end));
                continue;
            }
            if let Some((first, _)) = run.take() {
                gaps.push(Span::new(first, start));
            }
            kept_before = Some(end);
        }
        if let Some((first, last)) = run {
            gaps.push(Span::new(kept_before.unwrap_or(first), last));
        }
        for gap in gaps {
            // Text that was put in right before the gap does not belong to it.
            self.0
                .edits
                .retain(|edit| !edit.span.is_within(gap) || edit.span.range().end == gap.range().start);
            self.record(gap, Text::copied(b""));
        }
        self.insert(base + 1, is_gone, put, kept_before.is_some());
        Ok(())
    }

    /// Whether anything was changed since the message was read: an id, a token, a name or a member.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        !self.0.edits.is_empty()
    }

    /// Whether anything within a part was changed since it was read. Then readers of the part do not return
    /// what will be written.
    #[must_use]
    pub fn is_edited_in(&self, part: Part) -> bool {
        let span = self.part_span(part);
        !span.is_absent() && self.0.edits.iter().any(|edit| edit.span.is_within(span))
    }

    /// The message as the other side will read it: written, and read again if it was changed.
    ///
    /// # Errors
    ///
    /// When inserted text is not valid JSON, or a member that decides how a message is handled is in it
    /// twice.
    pub fn reread(&self) -> Result<Self, ParseError> {
        if self.0.edits.is_empty() {
            return Ok(self.clone());
        }
        if self.0.edits.iter().all(|edit| edit.with.is_empty()) {
            return Ok(self.rewritten());
        }
        Self::parse(self.to_bytes(), &Limits::OF_OWN)
    }

    /// The written message, if only whole members were removed: the other parts need not be searched for
    /// again.
    fn rewritten(&self) -> Self {
        let mut envelope = self.0.envelope;
        for span in envelope.spans_mut() {
            if self.0.edits.iter().any(|edit| span.is_within(edit.span)) {
                *span = Span::default();
            }
            let moved = |place: usize| {
                let gone = self.0.edits.iter().map(|edit| edit.span.range()).filter(|gone| gone.end <= place);
                place - gone.map(|gone| gone.len()).sum::<usize>()
            };
            *span = Span::new(moved(span.range().start), moved(span.range().end));
        }
        Self::unedited(self.to_bytes(), self.0.kind, envelope)
    }

    fn part_span(&self, part: Part) -> Span {
        match part {
            Part::Params => self.0.envelope.params,
            Part::Result if self.0.kind == Kind::Error => Span::default(),
            Part::Result => self.0.envelope.result,
            Part::Meta => self.0.envelope.meta,
        }
    }

    /// Puts members into a part that is absent, by creating it in the object around it.
    fn make(&mut self, part: Part, remove: &[&str], put: &[(&str, &[u8])]) -> Result<(), NotAnObject> {
        let made = self.created(part);
        if made.is_some_and(|made| !made.starts_with(b"{")) {
            return Err(NotAnObject(part));
        }
        if made.is_none() && put.is_empty() {
            return Ok(());
        }
        let mut object = BytesMut::from(&b"{"[..]);
        write_members(&mut object, put);
        let names = remove.iter().chain(put.iter().map(|(name, _)| name));
        for (name, value) in self.members(part) {
            if !names.clone().any(|gone| **gone == *name) {
                if object.len() > 1 {
                    object.put_u8(b',');
                }
                write_string(&mut object, &name);
                object.put_u8(b':');
                object.put_slice(value);
            }
        }
        object.put_u8(b'}');
        match part {
            Part::Meta if self.0.kind == Kind::Result => self.edit(Part::Result, &[], &[("_meta", &object)]),
            Part::Meta => self.edit(Part::Params, &[], &[("_meta", &object)]),
            // A result has its result, and a message is never empty: it has its version.
            Part::Params | Part::Result => {
                let is_params = |text: &[u8], member: &Member| is_named(text, member, "params");
                self.insert(self.brace() + 1, is_params, &[("params", &object)], true);
                Ok(())
            }
        }
    }

    /// Writes members at `at`, right behind an opening brace, among those that were put there before.
    fn insert(
        &mut self,
        at: usize,
        is_gone: impl Fn(&[u8], &Member) -> bool,
        put: &[(&str, &[u8])],
        has_more: bool,
    ) {
        let here = Span::new(at, at);
        let mut text = BytesMut::new();
        write_members(&mut text, put);
        if let Some(index) = self.0.edits.iter().position(|edit| edit.span == here) {
            let earlier = self.0.edits.remove(index).with;
            for member in scan::bare_members(&earlier) {
                if !is_gone(&earlier, &member) {
                    let whole = member.name.range().start..member.value.range().end;
                    separate(&mut text);
                    text.put_slice(&earlier[whole]);
                }
            }
        }
        if has_more {
            separate(&mut text);
        }
        self.record(here, text.freeze().into());
    }

    fn is_removed(&self, start: usize, end: usize) -> bool {
        let span = Span::new(start, end);
        self.0.edits.iter().any(|edit| edit.with.is_empty() && span.is_within(edit.span))
    }

    /// Records an edit in its place. An earlier one of the same span is replaced.
    pub(crate) fn record(&mut self, span: Span, with: Text) {
        let key = |span: Span| (span.range().start, span.range().end);
        match self.0.edits.binary_search_by_key(&key(span), |edit| key(edit.span)) {
            Ok(at) if self.0.text[span.range()] == *with => drop(self.0.edits.remove(at)),
            Ok(at) => self.0.edits[at].with = with,
            Err(_) if self.0.text[span.range()] == *with => {}
            Err(at) => self.0.edits.insert(at, Edit { span, with }),
        }
    }
}

/// Writes a comma if there is text before it.
fn separate(text: &mut BytesMut) {
    if !text.is_empty() {
        text.put_u8(b',');
    }
}

pub(crate) fn write_members(text: &mut BytesMut, members: &[(&str, &[u8])]) {
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            text.put_u8(b',');
        }
        write_string(text, name);
        text.put_u8(b':');
        text.put_slice(value);
    }
}

/// Whether a string needs no escapes in JSON text.
pub(crate) fn is_plain(string: &str) -> bool {
    string.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

/// Writes a string as JSON.
pub(crate) fn write_string(text: &mut impl BufMut, string: &str) {
    if is_plain(string) {
        text.put_u8(b'"');
        text.put_slice(string.as_bytes());
        text.put_u8(b'"');
    } else {
        text.put_slice(serde_json::Value::from(string).to_string().as_bytes());
    }
}

/// Whether a member has this name.
#[inline]
pub(crate) fn is_named(text: &[u8], member: &Member, name: &str) -> bool {
    let token = member.name.range();
    if member.is_escaped {
        return serde_json::from_slice::<String>(&text[token]).is_ok_and(|own| own == name);
    }
    token.len() == name.len() + 2 && text[token.start + 1..token.end - 1] == *name.as_bytes()
}

/// A member's name, decoded; empty if half a surrogate pair makes it invalid.
fn name_of(text: &[u8], token: Span) -> Cow<'_, str> {
    let token = &text[token.range()];
    let inner = &token[1..token.len() - 1];
    if inner.contains(&b'\\') {
        return Cow::Owned(serde_json::from_slice(token).unwrap_or_default());
    }
    // Much faster than the search for invalid places.
    std::str::from_utf8(inner).map_or_else(|_| String::from_utf8_lossy(inner), Cow::Borrowed)
}

#[cfg(test)]
mod tests;
