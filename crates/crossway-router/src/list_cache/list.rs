//! One list of an upstream, split into items.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use crossway_proto::{Message, Part};
use foldhash::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::contents::Counted;

/// The kind of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
}

impl ListKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The list that a request asks for.
    #[must_use]
    pub fn of(request: &Message) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| request.is_method(kind.method()))
    }

    /// The method that requests the list.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that holds the list.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// Whether items are identified by URIs, which are not renamed, instead of names.
    pub(crate) fn has_uris(self) -> bool {
        matches!(self, Self::Resources | Self::Templates)
    }

    /// The lists whose change a notification reports.
    pub(crate) fn changed_by(notification: &Message) -> &'static [Self] {
        match notification.method().as_deref() {
            Some("notifications/tools/list_changed") => &[Self::Tools],
            Some("notifications/prompts/list_changed") => &[Self::Prompts],
            Some("notifications/resources/list_changed") => &[Self::Resources, Self::Templates],
            _ => &[],
        }
    }

    /// The notification that reports a change of the list.
    pub(crate) fn change(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::Templates => "notifications/resources/list_changed",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// One item of a list: its bytes, and the position of its name in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The name, the URI or the URI template.
    pub(crate) name: Arc<str>,
    /// The JSON text as the upstream sent it.
    pub(crate) json: Bytes,
    /// The position of the name's token.
    start: usize,
    end: usize,
}

impl Item {
    /// Writes the item with another name; nothing else changes.
    pub(crate) fn write_as(&self, name: &str, out: &mut BytesMut) {
        if name == &*self.name {
            return out.put_slice(&self.json);
        }
        out.put_slice(&self.json[..self.start]);
        // Writing to memory can't fail.
        let _ = serde_json::to_writer(out.writer(), name);
        out.put_slice(&self.json[self.end..]);
    }
}

/// The items of one list, in order.
#[derive(Debug, Default)]
pub(crate) struct Items {
    all: Vec<Item>,
    /// Their positions in `all`, by name; items of one name in the order of the list.
    by_name: Box<[u32]>,
    /// The first position in `by_name` of each name, once one was looked up: a search there would touch many names, which costs more
    /// than all else that a call needs of the list.
    firsts: OnceLock<HashMap<Arc<str>, u32>>,
    /// Their exposed names in the router that keeps the list, in the order of the list.
    exposed: OnceLock<Box<[Arc<str>]>>,
    /// Whether each exposed name leads back to its item by itself.
    leads_back: OnceLock<bool>,
    #[expect(dead_code, reason = "it is held")]
    counted: Option<Counted>,
}

impl Items {
    pub(super) fn new(all: Vec<Item>, counted: Option<Counted>) -> Self {
        let mut by_name: Box<[u32]> = (0..).take(all.len()).collect();
        by_name.sort_by_key(|at| &all[*at as usize].name);
        Self { all, by_name, counted, ..Self::default() }
    }

    /// The items' exposed names, in the order of the list. Calls `expose` once for each item; it has to give the same result for every
    /// caller, as it does within one router.
    pub(crate) fn exposed(&self, expose: impl Fn(&Item) -> Arc<str>) -> &[Arc<str>] {
        self.exposed.get_or_init(|| self.all.iter().map(expose).collect())
    }

    /// Whether each [exposed](Self::exposed) name leads back to its item by itself: no two items have the same name, and `leads_back` holds
    /// for each, for every caller alike. `false` while the exposed names are not known.
    pub(crate) fn lead_back(&self, leads_back: impl Fn(&Item, &str) -> bool) -> bool {
        let Some(exposed) = self.exposed.get() else { return false };
        *self.leads_back.get_or_init(|| {
            let name = |at: &u32| &self.all[*at as usize].name;
            self.by_name.is_sorted_by(|one, other| name(one) < name(other))
                && self.all.iter().zip(exposed).all(|(item, exposed)| leads_back(item, exposed))
        })
    }

    /// The positions of the items whose names begin with one of the texts, in the order of the list.
    pub(crate) fn beginning_with(&self, texts: &[String]) -> Vec<usize> {
        let name = |at: &u32| &*self.all[*at as usize].name;
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.sort_unstable();
        // A text that begins with another one finds nothing more: each item is found once, however many patterns there are.
        texts.dedup_by(|later, kept| later.starts_with(*kept));
        let mut found: Vec<usize> = Vec::new();
        for text in texts {
            let from = self.by_name.partition_point(|at| name(at) < text);
            let those = self.by_name[from..].iter().take_while(|at| name(at).starts_with(text));
            found.extend(those.map(|at| *at as usize));
        }
        found.sort_unstable();
        found
    }

    /// The items of one name. A correct server has at most one.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Item> + Clone {
        let from = self.firsts().get(name).map_or(self.by_name.len(), |first| *first as usize);
        self.by_name[from..]
            .iter()
            .map(|at| &self.all[*at as usize])
            .take_while(move |item| &*item.name == name)
    }

    fn firsts(&self) -> &HashMap<Arc<str>, u32> {
        self.firsts.get_or_init(|| {
            let mut firsts = HashMap::default();
            for (at, first) in self.by_name.iter().zip(0..) {
                firsts.entry(Arc::clone(&self.all[*at as usize].name)).or_insert(first);
            }
            firsts
        })
    }
}

impl Deref for Items {
    type Target = [Item];

    fn deref(&self) -> &[Item] {
        &self.all
    }
}

/// A list before and after a change.
#[derive(Debug)]
pub(crate) struct Difference {
    before: Arc<Items>,
    now: Arc<Items>,
    /// How many items are equal at the beginning of both, and, after these, at the end of both.
    same: (usize, usize),
}

impl Difference {
    pub(super) fn between(before: &Arc<Items>, now: &Arc<Items>) -> Self {
        let pairs = before.iter().zip(now.iter());
        let first = pairs.take_while(|(before, now)| before == now).count();
        let pairs = before[first..].iter().rev().zip(now[first..].iter().rev());
        let last = pairs.take_while(|(before, now)| before == now).count();
        Self { before: Arc::clone(before), now: Arc::clone(now), same: (first, last) }
    }

    /// Whether a caller who sees only the items for which `shows` is true notices the difference.
    pub(crate) fn is_seen(&self, shows: impl Fn(&Item) -> bool) -> bool {
        let (first, last) = self.same;
        let [before, now] = [&self.before, &self.now].map(|items| items[first..items.len() - last].iter());
        before.filter(|item| shows(item)).ne(now.filter(|item| shows(item)))
    }
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    /// JSON text.
    pub(crate) next: Option<Bytes>,
    pub(crate) ttl_ms: u64,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(rename = "uriTemplate", borrow)]
    template: Option<&'a RawValue>,
}

/// Reads a page. Items without a name are left out: nobody could request them.
pub(crate) fn read_page(kind: ListKind, answer: &Message) -> Option<Page> {
    let whole = answer.to_bytes();
    let list = answer.member(Part::Result, kind.member())?;
    let elements: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let mut items = Vec::with_capacity(elements.len());
    for element in elements {
        let json = element.get();
        let Ok(named) = serde_json::from_str::<Named<'_>>(json) else { continue };
        let token = match kind {
            ListKind::Tools | ListKind::Prompts => named.name,
            ListKind::Resources => named.uri,
            ListKind::Templates => named.template,
        };
        let Some(token) = token.map(RawValue::get) else { continue };
        let Ok(name) = serde_json::from_str::<Cow<'_, str>>(token) else { continue };
        let start = token.as_ptr() as usize - json.as_ptr() as usize;
        // The answer may have been spliced; then its text is elsewhere.
        let shared = whole.as_ptr_range().contains(&json.as_ptr());
        let bytes =
            if shared { whole.slice_ref(json.as_bytes()) } else { Bytes::copy_from_slice(json.as_bytes()) };
        items.push(Item { name: name.into(), json: bytes, start, end: start + token.len() });
    }
    let next = answer.member(Part::Result, "nextCursor").filter(|cursor| cursor.starts_with(b"\""));
    let ttl = answer.member(Part::Result, "ttlMs").and_then(|ttl| serde_json::from_slice(ttl).ok());
    Some(Page { items, next: next.map(Bytes::copy_from_slice), ttl_ms: ttl.unwrap_or(0) })
}
