//! Credentials of upstreams for a caller, and the scope of the connections that use them.

use std::sync::Arc;

use crossway_layers::credentials::{CredentialsLayer, Plan, SecretStore, Supplied};
use crossway_router::ScopeKey;
use crossway_service::{Call, CallError, Closing, Connection, Context, Link, Reason, Reply};
use tower_layer::Layer;

use super::access::scope_key;
use super::actor::Actor;
use super::current_policy::CurrentPolicy;
use crate::config::file::ScopeFile;
use crate::joined::joined;

/// Supplies calls of an upstream with the credentials of the policy in force. The lists of an upstream that `is_api` come from the config, so
/// callers get them even without a credential; a call then tells them how to get one.
pub(super) fn credentials(
    name: Arc<str>,
    current: CurrentPolicy,
    store: SecretStore,
    is_api: bool,
) -> CredentialsLayer {
    let plans = move |call: &Call| match call.context.extensions.get::<Actor>() {
        Some(_) if is_api && !call.is_method("tools/call") => Ok(Plan::default()),
        Some(actor) => {
            let (snapshot, rights) = (current.get(), actor.rights());
            let policy = snapshot.actors.policy();
            let make = || policy.credentials(rights.principal(), rights.tenant(), &name).map(Plan::from);
            // An actor of an earlier policy is looked up again in this one.
            match actor.generation() == snapshot.actors.generation() {
                true => actor.plan(&name, make),
                false => make(),
            }
        }
        // Without an actor there is no credential; a later layer refuses the call.
        None => Ok(Plan::default()),
    };
    CredentialsLayer::new(plans, store)
}

/// Finds the scope of an upstream's calls, regardless of the version of their secret.
#[derive(Clone)]
pub(super) struct Holder {
    name: Arc<str>,
    current: CurrentPolicy,
}

impl Holder {
    pub(super) fn new(name: Arc<str>, current: CurrentPolicy) -> Self {
        Self { name, current }
    }

    pub(super) fn of(&self, context: &Context) -> Option<ScopeKey> {
        let actor = context.extensions.get::<Actor>()?;
        Some(scope_key(scope(&self.current, &self.name), actor))
    }
}

/// The scope of an upstream's connections.
fn scope(current: &CurrentPolicy, name: &str) -> ScopeFile {
    current.get().scopes.get(name).copied().unwrap_or(ScopeFile::Session)
}

/// Gives calls a key made of their caller's scope and of the version of the secret that is supplied for it. So a connection that was made
/// with an old secret never gets calls with a new one.
pub(super) struct KeyLayer {
    name: Arc<str>,
    current: CurrentPolicy,
}

impl KeyLayer {
    pub(super) fn new(name: Arc<str>, current: CurrentPolicy) -> Self {
        Self { name, current }
    }
}

impl Layer<Link> for KeyLayer {
    type Service = KeyedConnection;

    fn layer(&self, link: Link) -> KeyedConnection {
        KeyedConnection { name: self.name.clone(), current: self.current.clone(), link }
    }
}

pub(super) struct KeyedConnection {
    name: Arc<str>,
    current: CurrentPolicy,
    link: Link,
}

impl Connection for KeyedConnection {
    fn call(&self, mut call: Call) -> Reply {
        let extensions = &call.context.extensions;
        let Some(actor) = extensions.get::<Actor>() else {
            let why = "nobody has said for whom this call is".into();
            return Reply::failed(CallError::not_sent(Reason::Unavailable(why)));
        };
        let scope = scope(&self.current, &self.name);
        let version = extensions.get::<Supplied>().map_or("", Supplied::version);
        let make = || ScopeKey::new(joined(&[scope_key(scope, actor).as_str(), version]));
        let key = actor.key(&self.name, scope, version, make);
        call.context.extensions.insert(key);
        self.link.call(call)
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}
