//! Lists of many upstreams, one after the other.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crossway_proto::{ErrorCode, ErrorObject, Message, Part, RequestId};
use crossway_service::Context;
use futures_util::future::join_all;

use super::{Members, Router};
use crate::known::{Item, Known, ListKind, View};
use crate::limits::{LIST_PAGE_BYTES, MERGED_LISTS};

/// Merged lists, ready to be sent, and where their names lead.
#[derive(Default)]
pub(super) struct Merged {
    ready: HashMap<(ListKind, View), Arc<Ready>>,
    /// Where an exposed name leads: upstream and name. The same for everybody, since it follows from the two.
    names: HashMap<(ListKind, String), (Arc<str>, String)>,
}

/// One merged list.
struct Ready {
    /// The generations that it is made of.
    made_of: Vec<u64>,
    /// One answer a page, under an id that is to be replaced.
    pages: Vec<Message>,
}

impl Router {
    /// The answer to a list's request.
    pub(super) async fn list(&self, kind: ListKind, request: &Message, context: &Context) -> Message {
        let id = request.id().unwrap_or_else(|| RequestId::from(0));
        let page = match page_of(request) {
            Ok(page) => page,
            Err(error) => return error_of(&id, error),
        };
        let members = self.members();
        let is_same_for_all = self.0.options.is_same_for_all;
        let view = View::of(request, context, is_same_for_all);
        let key = (kind, view);
        let made_of = |members: &Members| -> Vec<u64> {
            let entries = members.all.iter().map(|member| member.entry(request, context).generation(kind));
            std::iter::once(members.generation).chain(entries).collect()
        };
        let is_kept = is_same_for_all || context.extensions.get::<crate::ScopeKey>().is_some();
        let known = self.merged().ready.get(&key).filter(|_| is_kept).cloned();
        let ready = match known.filter(|ready| ready.made_of == made_of(&members)) {
            Some(ready) => {
                // Asking is what keeps lists fresh.
                for member in &members.all {
                    member.entry(request, context).touch(kind);
                }
                ready
            }
            None => {
                let asked = members
                    .all
                    .iter()
                    .map(|member| async { (Arc::clone(member), member.list(kind, request, context).await) });
                let mut lists = Vec::new();
                for (member, list) in join_all(asked).await {
                    match list {
                        Ok(list) => lists.push((member, list)),
                        Err(error) => {
                            let what = kind.member();
                            tracing::debug!(upstream = %member.name, %error, what, "a list is left out");
                        }
                    }
                }
                let pages = self.write(kind, &lists);
                if is_kept && lists.len() == members.all.len() {
                    let ready = Arc::new(Ready { made_of: made_of(&members), pages });
                    let mut merged = self.merged();
                    if merged.ready.len() >= MERGED_LISTS {
                        merged.ready.clear();
                    }
                    merged.ready.insert(key, Arc::clone(&ready));
                    ready
                } else {
                    Arc::new(Ready { made_of: Vec::new(), pages })
                }
            }
        };
        match ready.pages.get(page) {
            Some(answer) => {
                let mut answer = answer.clone();
                answer.set_id(&id);
                answer
            }
            None => error_of(
                &id,
                ErrorObject::new(ErrorCode::INVALID_PARAMS, "the cursor is not one of this list"),
            ),
        }
    }

    /// The upstream and the name that an exposed name stands for.
    pub(super) fn lookup(&self, kind: ListKind, exposed: &str) -> Option<(Arc<Known>, String)> {
        let members = self.members();
        if let Some((upstream, name)) = self.merged().names.get(&(kind, exposed.to_owned())) {
            return members.by_name.get(upstream).map(|member| (Arc::clone(member), name.clone()));
        }
        let (upstream, name) = self.0.naming.split(exposed)?;
        members.by_name.get(upstream).map(|member| (Arc::clone(member), name.to_owned()))
    }

    fn write(&self, kind: ListKind, lists: &[(Arc<Known>, Arc<Vec<Item>>)]) -> Vec<Message> {
        let mut merged = self.merged();
        let mut pages = vec![Vec::new()];
        let mut taken = std::collections::HashSet::new();
        for (member, items) in lists {
            for item in items.iter() {
                let exposed = match kind {
                    ListKind::Tools | ListKind::Prompts => {
                        self.0.naming.expose(&member.name, &item.name).into_owned()
                    }
                    ListKind::Resources | ListKind::Templates => item.name.clone(),
                };
                if !taken.insert(exposed.clone()) {
                    tracing::warn!(upstream = %member.name, name = exposed, "another upstream has one of this name; this one is left out");
                    continue;
                }
                let page = match pages.last_mut() {
                    Some(page) if page.len() < LIST_PAGE_BYTES => page,
                    _ => {
                        pages.push(Vec::new());
                        let last = pages.len() - 1;
                        &mut pages[last]
                    }
                };
                if !page.is_empty() {
                    page.push(b',');
                }
                item.write_as(&exposed, page);
                merged.names.insert((kind, exposed), (Arc::clone(&member.name), item.name.clone()));
            }
        }
        let last = pages.len() - 1;
        pages
            .into_iter()
            .enumerate()
            .filter_map(|(number, items)| answer(kind, &items, (number < last).then_some(number + 1)))
            .collect()
    }

    pub(super) fn merged(&self) -> std::sync::MutexGuard<'_, Merged> {
        // Each step leaves the tables whole.
        self.0.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page as an answer. What is merged holds for nobody else, and all pages are of one scope (2026-07-28,
/// server/utilities/caching).
fn answer(kind: ListKind, items: &[u8], next: Option<usize>) -> Option<Message> {
    let next = next.map(|next| format!(r#","nextCursor":"page-{next}""#)).unwrap_or_default();
    let head =
        format!(r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"private"{next},"{}":["#, kind.member());
    let result = [head.as_bytes(), items, b"]}"].concat();
    Message::result_of(&RequestId::from(0), &result).ok()
}

/// The page that a request asks for.
fn page_of(request: &Message) -> Result<usize, ErrorObject> {
    let Some(cursor) = request.member(Part::Params, "cursor") else { return Ok(0) };
    let page = std::str::from_utf8(cursor).ok().and_then(|text| text.strip_prefix("\"page-"));
    let page = page.and_then(|text| text.strip_suffix('"')).and_then(|number| number.parse().ok());
    page.ok_or_else(|| ErrorObject::new(ErrorCode::INVALID_PARAMS, "the cursor is not one of this list"))
}

pub(super) fn error_of(id: &RequestId, error: ErrorObject) -> Message {
    Message::error_of(Some(id), &error).unwrap_or_else(|_| unreachable!("its data, if any, is JSON"))
}
