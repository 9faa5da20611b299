//! Binds the state of a server's question to the caller who was asked, and marks results as private to one caller.

use std::sync::Arc;

use crossway_era::to_legacy::{may_ask, state_refused};
use crossway_proto::{Kind, Message, Part};
use crossway_seal::Keyring;
use crossway_service::{Ask, Call, CallError, Closing, Connection, Link, Reason, Reply};
use futures_util::StreamExt as _;
use ring::digest::{SHA256, digest};
use serde_json::json;
use tower_layer::Layer;

use super::actor::Actor;
use crate::joined::joined;

/// Lets only the callers who were asked answer a server's questions.
///
/// A server should bind a `requestState` to the user that it is for (2026-07-28, basic/patterns/mrtr, Server Requirements), and an upstream
/// does not know the users of this gateway. So a state is sent with a seal and a dot before it. The seal opens only for the same caller, in
/// the same tenant, at the same upstream. The upstream's own state is not changed.
pub(super) struct OwnerLayer {
    name: Arc<str>,
    keyring: Arc<Keyring>,
}

impl OwnerLayer {
    pub(super) fn new(name: Arc<str>, keyring: Arc<Keyring>) -> Self {
        Self { name, keyring }
    }
}

impl Layer<Link> for OwnerLayer {
    type Service = OwnedConnection;

    fn layer(&self, link: Link) -> OwnedConnection {
        OwnedConnection { name: self.name.clone(), keyring: self.keyring.clone(), link }
    }
}

pub(super) struct OwnedConnection {
    name: Arc<str>,
    keyring: Arc<Keyring>,
    link: Link,
}

impl Connection for OwnedConnection {
    fn call(&self, mut call: Call) -> Reply {
        let (Ask::Message(message), Some(actor)) = (&mut call.ask, call.context.extensions.get::<Actor>())
        else {
            return self.link.call(call);
        };
        if !message.is_request() || !may_ask(message) {
            return self.link.call(call);
        }
        let owner = Owner { keyring: self.keyring.clone(), name: self.name.clone(), actor: actor.clone() };
        match owner.opened(message) {
            Ok(None) => {}
            Ok(Some(opened)) => *message = opened,
            Err(NotTheirs) => return Reply::once(state_refused(message)),
        }
        let reply = self.link.call(call);
        Reply::stream(reply.map(move |item| item.and_then(|answer| owner.sealed(answer))))
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

/// The state belongs to another caller, or was not sealed here.
#[derive(Debug)]
struct NotTheirs;

/// The caller who gets the answers.
struct Owner {
    keyring: Arc<Keyring>,
    name: Arc<str>,
    actor: Actor,
}

impl Owner {
    fn purpose(&self) -> String {
        joined(&["crossway state of", &self.name, self.actor.user().as_str()])
    }

    /// Replaces the sealed state of a request by the upstream's own. `None` if the request has no state.
    fn opened(&self, request: &Message) -> Result<Option<Message>, NotTheirs> {
        // A request with several states is an error: the upstream might read another one than this check.
        let Some(state) = request.request_state().map_err(|_| NotTheirs)? else { return Ok(None) };
        let text: String = serde_json::from_slice(state).map_err(|_| NotTheirs)?;
        let (seal, state) = text.split_once('.').ok_or(NotTheirs)?;
        let hash = self.keyring.open(self.purpose().as_bytes(), seal).map_err(|_| NotTheirs)?;
        if hash != digest(&SHA256, state.as_bytes()).as_ref() {
            return Err(NotTheirs);
        }
        let mut request = request.clone();
        let state = json!(state).to_string();
        request.edit(Part::Params, &[], &[("requestState", state.as_bytes())]).map_err(|_| NotTheirs)?;
        request.reread().map(Some).map_err(|_| NotTheirs)
    }

    /// Seals the state of an answer for the caller, and marks the answer as private for caches.
    fn sealed(&self, mut answer: Message) -> Result<Message, CallError> {
        if answer.kind() != Kind::Result {
            return Ok(answer);
        }
        // Few answers have either; this spares searching the others.
        if !answer.has_rare_members() {
            return Ok(answer);
        }
        let layout = answer.layout(Part::Result);
        let scope = answer.member_at(&layout, "cacheScope").map(|_| ("cacheScope", &br#""private""#[..]));
        let state = answer.member_at(&layout, "requestState").filter(|state| *state != b"null");
        let state = state.map(|state| self.bound(state)).transpose()?;
        let state = state.as_deref().map(|state| ("requestState", state.as_bytes()));
        let put: Vec<_> = scope.into_iter().chain(state).collect();
        if !put.is_empty() {
            let unreadable = |_| CallError::answered(Reason::InvalidAnswer("it can't be read".into()));
            answer.edit_at(&layout, &[], &put).map_err(unreadable)?;
        }
        Ok(answer)
    }

    /// The sealed state, as JSON text.
    fn bound(&self, state: &[u8]) -> Result<String, CallError> {
        let not_text = |_| CallError::answered(Reason::InvalidAnswer("its requestState is no text".into()));
        let state: String = serde_json::from_slice(state).map_err(not_text)?;
        let hash = digest(&SHA256, state.as_bytes());
        let seal = self.keyring.seal(self.purpose().as_bytes(), hash.as_ref());
        let seal =
            seal.map_err(|_| CallError::answered(Reason::Unavailable("there is no randomness".into())))?;
        Ok(json!(format!("{seal}.{state}")).to_string())
    }
}

#[cfg(test)]
mod tests {
    use crossway_policy::{Policy, Principal, Proof};
    use crossway_testkit::message;

    use super::super::actor::Actors;
    use super::super::session_limiters::SessionLimiters;
    use super::*;
    use crate::metrics::Metrics;

    fn owner() -> Owner {
        let config = json!({ "tenants": { "acme": { "groups": ["acme"] } } });
        let policy = Policy::compile(&serde_json::from_value(config).unwrap(), &[]).unwrap();
        let alice = Principal::new("i", "alice", Proof::Jwt).with_groups(["acme"]);
        let actor = Actors::new(policy, SessionLimiters::new(1), Metrics::new()).of(&alice, None).unwrap();
        Owner { keyring: Arc::new(Keyring::random().unwrap()), name: "wiki".into(), actor }
    }

    #[test]
    fn null_is_no_state() {
        let owner = owner();
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"requestState":null,"content":[]}}"#;
        assert_eq!(owner.sealed(message(answer)).unwrap().to_bytes(), answer);
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":null}}"#;
        assert!(owner.opened(&message(request)).is_ok_and(|opened| opened.is_none()));
    }

    #[test]
    fn names_that_are_written_with_escapes_are_the_same_names() {
        let owner = owner();
        let result = r#"{"cache\u0053cope":"public","request\u0053tate":"of the server","content":[]}"#;
        let answer =
            owner.sealed(message(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer.to_bytes()).unwrap();
        assert_eq!(answer["result"]["cacheScope"], "private");
        let params = format!(r#"{{"request\u0053tate":{}}}"#, answer["result"]["requestState"]);
        let request =
            message(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#));
        let opened = owner.opened(&request).unwrap().expect("it has a state");
        assert_eq!(opened.member(Part::Params, "requestState"), Some(&br#""of the server""#[..]));
    }
}
