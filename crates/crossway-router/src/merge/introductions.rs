//! What clients are told that upstreams say of themselves, beside each other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use crossway_era::to_legacy::Asks;
use crossway_proto::Message;
use crossway_service::Context;
use futures_util::future::join_all;
use serde::Deserialize;

use super::Router;
use super::lists::Seen;
use crate::access::Whose;
use crate::known::ListKind;
use crate::limits::{INTRODUCTIONS, JOINED_INSTRUCTIONS, MERGED_INSTRUCTIONS};

/// Of which upstreams callers have been given something in a list.
///
/// Nobody is told the instructions of others: they would say that there is such an upstream. And as `server/discover` waits for
/// nobody, what it tells would show whether somebody else has asked before: so a caller's own list comes first, and with it
/// the upstreams are asked what they say of themselves.
#[derive(Default)]
pub(super) struct Introductions {
    callers: HashMap<Caller, Introduced>,
    /// Goes on with each list that is told.
    now: u64,
}

/// Who hears the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Caller {
    company: Whose,
    rights: Whose,
    asks: Asks,
}

#[derive(Default)]
struct Introduced {
    /// The upstreams in the last list of each kind.
    shown: [Arc<[Arc<str>]>; 4],
    used: u64,
}

impl Introduced {
    fn knows(&self, upstream: &str) -> bool {
        self.shown.iter().any(|shown| shown.iter().any(|name| **name == *upstream))
    }
}

impl Introductions {
    fn note(&mut self, caller: Caller, kind: ListKind, shown: &Arc<[Arc<str>]>) {
        if self.callers.len() >= INTRODUCTIONS && !self.callers.contains_key(&caller) {
            let mut used: Vec<u64> = self.callers.values().map(|introduced| introduced.used).collect();
            used.sort_unstable();
            let middle = used.get(used.len() / 2).copied().unwrap_or_default();
            self.callers.retain(|_, introduced| introduced.used > middle);
        }
        self.now += 1;
        let introduced = self.callers.entry(caller).or_default();
        introduced.used = self.now;
        introduced.shown[kind.index()] = Arc::clone(shown);
    }
}

impl Router {
    /// A caller is given a list of these upstreams. Waits, not for long, for what those say of themselves that are new to it, or
    /// that have not been asked: they may have been replaced meanwhile.
    pub(super) async fn introduce(
        &self,
        kind: ListKind,
        shown: &Arc<[Arc<str>]>,
        seen: &Seen,
        request: &Message,
        context: &Context,
    ) {
        let Some(caller) = self.caller(seen, request, context) else { return };
        let (is_same, new): (bool, Vec<&Arc<str>>) = {
            let mut introductions = self.introductions();
            introductions.now += 1;
            let now = introductions.now;
            match introductions.callers.get_mut(&caller) {
                Some(known) => {
                    known.used = now;
                    let is_same = known.shown[kind.index()] == *shown;
                    (is_same, shown.iter().filter(|name| !is_same && !known.knows(name)).collect())
                }
                None => (false, shown.iter().collect()),
            }
        };
        let heard = seen.visible().filter(|(member, _)| member.has_instructions);
        let heard = heard.filter_map(|(member, view)| Some((&member.name, member.known(view)?)));
        let heard =
            heard.filter(|(name, entry)| new.contains(name) || (!entry.was_asked() && shown.contains(name)));
        join_all(heard.map(|(_, entry)| async move { entry.said().await })).await;
        if is_same {
            return;
        }
        self.introductions().note(caller, kind, shown);
    }

    /// The instructions of the upstreams of which the caller has seen something, one after the other.
    pub(super) fn joined(&self, seen: &Seen, request: &Message, context: &Context) -> String {
        let mut all = String::new();
        let Some(caller) = self.caller(seen, request, context) else { return all };
        let known: Vec<_> = {
            let introductions = self.introductions();
            let Some(introduced) = introductions.callers.get(&caller) else { return all };
            let known = seen.visible().filter(|(member, _)| introduced.knows(&member.name));
            known.collect()
        };
        for (member, view) in known {
            let said = member.known(view).filter(|_| member.has_instructions);
            let said = said.and_then(|entry| entry.said_now()).and_then(|said| section(&member.name, &said));
            let Some(section) = said else { continue };
            if all.len() + section.len() > MERGED_INSTRUCTIONS {
                break;
            }
            all.push_str(&section);
        }
        all
    }

    /// Who is told what this caller is; none where nothing is kept of a call, or instructions are not joined.
    fn caller(&self, seen: &Seen, request: &Message, context: &Context) -> Option<Caller> {
        let company = self.access().company(context);
        let is_kept = |whose: &Whose| !matches!(whose, Whose::OneCall | Whose::Nobody);
        let is_known = !self.0.options.is_alone && is_kept(&company) && is_kept(seen.rights());
        is_known.then(|| Caller { company, rights: seen.rights().clone(), asks: Asks::of(request) })
    }

    fn introductions(&self) -> MutexGuard<'_, Introductions> {
        // Each step leaves the table whole.
        self.0.introductions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an upstream says of itself as a part of what all say. Its lines are quoted: none can pass for another upstream's heading.
fn section(name: &str, said: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        instructions: Option<Cow<'a, str>>,
    }
    let said: Said<'_> = serde_json::from_slice(said).ok()?;
    let text = said.instructions?;
    let (text, is_cut) = match text.trim().char_indices().nth(JOINED_INSTRUCTIONS) {
        Some((end, _)) => (&text.trim()[..end], true),
        None => (text.trim(), false),
    };
    if text.is_empty() {
        return None;
    }
    let mut section = format!("\n\n## {name}\n");
    for line in text.replace("\r\n", "\n").split(ends_a_line) {
        section.push_str("\n> ");
        section.push_str(line);
    }
    if is_cut {
        section.push('…');
    }
    Some(section)
}

fn ends_a_line(character: char) -> bool {
    matches!(character, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(instructions: &str) -> Option<String> {
        section(
            "one",
            serde_json::json!({ "instructions": instructions, "capabilities": {} }).to_string().as_bytes(),
        )
    }

    #[test]
    fn instructions_stand_quoted_under_their_upstreams_name() {
        assert_eq!(
            joined(" Use \"a\" first.\r\n\n## two\u{2028}> x ").unwrap(),
            "\n\n## one\n\n> Use \"a\" first.\n> \n> ## two\n> > x"
        );
    }

    #[test]
    fn long_instructions_are_cut_and_empty_ones_left_out() {
        let long = joined(&"ü".repeat(JOINED_INSTRUCTIONS + 1)).unwrap();
        assert_eq!(long.matches('ü').count(), JOINED_INSTRUCTIONS);
        assert!(long.ends_with("ü…"));
        assert_eq!(joined(" \n"), None);
        assert_eq!(section("one", b"{\"capabilities\":{}}"), None);
    }
}
