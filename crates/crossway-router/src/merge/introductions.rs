//! Which upstreams' introductions each client has received.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use crossway_service::Context;
use futures_util::future::join_all;
use parking_lot::MutexGuard;
use serde::Deserialize;

use super::Router;
use super::lists::Seen;
use crate::access::CallerSet;
use crate::limits::{INTRODUCTIONS, JOINED_INSTRUCTIONS, MERGED_INSTRUCTIONS};
use crate::list_cache::ListKind;

/// The introductions that callers may be told: those of upstreams with an item in one of the caller's lists.
///
/// Instructions of other upstreams would reveal that these exist. The introductions are kept for each caller
/// separately, as its own lists brought them: the shared cache of an upstream depends on which other callers
/// have asked, and when.
#[derive(Default)]
pub(super) struct Introductions {
    callers: HashMap<CallerSet, Introduced>,
    /// Increases with each list that is sent.
    now: u64,
}

#[derive(Default)]
struct Introduced {
    /// The upstreams in the last list of each kind, by name.
    shown: [Arc<[Arc<str>]>; 4],
    /// Their `server/discover` results at the caller's last list, JSON text.
    heard: HashMap<Arc<str>, Bytes>,
    used: u64,
}

impl Introduced {
    fn knows(&self, upstream: &str) -> bool {
        self.shown.iter().any(|shown| is_among(shown, upstream))
    }
}

fn is_among(sorted: &[Arc<str>], upstream: &str) -> bool {
    sorted.binary_search_by(|name| (**name).cmp(upstream)).is_ok()
}

impl Introductions {
    fn note(
        &mut self,
        caller: CallerSet,
        kind: ListKind,
        shown: &Arc<[Arc<str>]>,
        heard: impl IntoIterator<Item = (Arc<str>, Bytes)>,
    ) {
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
        let mut known = std::mem::take(&mut introduced.heard);
        known.extend(heard);
        known.retain(|name, _| introduced.knows(name));
        introduced.heard = known;
    }
}

impl Router {
    /// Records that a caller gets a list with items of these upstreams. Waits, not for long, for the introductions of those that are new to
    /// it, or that have not been asked: they may have been replaced meanwhile.
    pub(super) async fn introduce(
        &self,
        kind: ListKind,
        shown: &Arc<[Arc<str>]>,
        seen: &Seen,
        context: &Context,
    ) {
        let Some(caller) = self.caller(context) else { return };
        let heard =
            seen.visible().filter(|(member, _)| member.has_instructions && is_among(shown, &member.name));
        let heard = heard.filter_map(|(member, view)| Some((&member.name, member.known(view)?)));
        let heard: Vec<_> = heard.collect();
        let told: Vec<bool> = {
            let introductions = self.introductions();
            let introduced = introductions.callers.get(&caller);
            heard
                .iter()
                .map(|(name, _)| introduced.is_some_and(|introduced| introduced.knows(name)))
                .collect()
        };
        let heard = heard.into_iter().zip(told).map(|((name, entry), is_told)| async move {
            let said = if is_told && entry.was_asked() { entry.said_now() } else { entry.said().await };
            Some((Arc::clone(name), said?))
        });
        let heard = join_all(heard).await;
        self.introductions().note(caller, kind, shown, heard.into_iter().flatten());
    }

    /// The joined instructions of the upstreams from which the caller has seen an item.
    pub(super) fn joined(&self, seen: &Seen, context: &Context) -> String {
        let mut all = String::new();
        let Some(caller) = self.caller(context) else { return all };
        let heard: Vec<_> = {
            let introductions = self.introductions();
            let Some(introduced) = introductions.callers.get(&caller) else { return all };
            let visible = seen.visible().filter(|(member, _)| member.has_instructions);
            let heard = visible.filter_map(|(member, _)| {
                introduced.heard.get(&member.name).map(|said| (Arc::clone(&member.name), said.clone()))
            });
            heard.collect()
        };
        for (name, said) in heard {
            let Some(section) = section(&name, &said) else { continue };
            if all.len() + section.len() > MERGED_INSTRUCTIONS {
                break;
            }
            all.push_str(&section);
        }
        all
    }

    /// The callers that get the same as this one; `None` if nothing is kept for this call, or instructions
    /// are not joined.
    fn caller(&self, context: &Context) -> Option<CallerSet> {
        if self.0.options.is_alone {
            return None;
        }
        let company = self.access().instructions_group(context);
        (!matches!(company, CallerSet::ThisCall | CallerSet::Nobody)).then_some(company)
    }

    fn introductions(&self) -> MutexGuard<'_, Introductions> {
        self.0.introductions.lock()
    }
}

/// One upstream's section of the joined instructions. Its lines are quoted, so that none can pass for another upstream's heading.
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
