//! The values that a fuzzed client has learned from responses so far.

use std::collections::HashSet;

use crossway_proto::http_rules::names::MCP_SESSION_ID;
use http::HeaderMap;

use super::request::Asked;

/// The values of an input's placeholders.
#[derive(Default)]
pub(super) struct Known {
    session: Vec<u8>,
    event: Vec<u8>,
    request: Vec<u8>,
    /// The ids of all requests, as their JSON text.
    asked: HashSet<Vec<u8>>,
}

impl Known {
    /// Replaces `$S`, `$E` and `$R` by their known values.
    pub(super) fn fill_in(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = text;
        while let [first, tail @ ..] = rest {
            let known = match rest {
                [b'$', b'S', ..] => Some(&self.session),
                [b'$', b'E', ..] => Some(&self.event),
                [b'$', b'R', ..] => Some(&self.request),
                _ => None,
            };
            rest = match known {
                Some(known) => {
                    filled.extend_from_slice(known);
                    &rest[2..]
                }
                None => {
                    filled.push(*first);
                    tail
                }
            };
        }
        filled
    }

    pub(super) fn asks(&mut self, asked: &Asked) {
        self.asked.extend(asked.ids.iter().cloned());
    }

    pub(super) fn was_asked(&self, id: &[u8]) -> bool {
        self.asked.contains(id)
    }

    /// Remembers the session of Streamable HTTP.
    pub(super) fn learn_session(&mut self, headers: &HeaderMap) {
        if let Some(session) = headers.get(&MCP_SESSION_ID) {
            assert!(session.to_str().is_ok_and(|id| id.bytes().all(|byte| byte.is_ascii_graphic())));
            session.as_bytes().clone_into(&mut self.session);
        }
    }

    /// Remembers the session of HTTP+SSE, from the URI that its stream opens with.
    pub(super) fn learn_endpoint(&mut self, uri: &[u8]) {
        let at = uri.iter().position(|byte| *byte == b'=').map_or(0, |at| at + 1);
        uri[at..].clone_into(&mut self.session);
    }

    pub(super) fn learn_event(&mut self, id: &[u8]) {
        id.clone_into(&mut self.event);
    }

    pub(super) fn learn_request(&mut self, id: &[u8]) {
        id.clone_into(&mut self.request);
    }
}
