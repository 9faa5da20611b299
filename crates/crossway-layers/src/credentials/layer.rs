//! The credentials layer.

use std::fmt;
use std::sync::Arc;

use crossway_policy::CredentialMissing;
use crossway_proto::RequestId;
use crossway_service::{Call, Context, Reply};
use tower_layer::Layer;

use super::{NotSupplied, Plan, SecretStore, SourceFailed, Supplied};
use crate::audit::AuditNote;
use crate::stage::{Entry, Stage, Staged};

/// Chooses the credentials for a call.
pub trait Plans: Send + Sync + 'static {
    /// The credentials to send; an empty plan sends none. Called for every message, not only requests.
    ///
    /// # Errors
    ///
    /// When a required credential can't be described for this caller.
    fn plan(&self, call: &Call) -> Result<Plan, CredentialMissing>;
}

impl<F> Plans for F
where
    F: Fn(&Call) -> Result<Plan, CredentialMissing> + Send + Sync + 'static,
{
    fn plan(&self, call: &Call) -> Result<Plan, CredentialMissing> {
        self(call)
    }
}

/// Supplies calls with credentials; see the [module](super).
#[derive(Clone)]
pub struct CredentialsLayer {
    plans: Arc<dyn Plans>,
    store: SecretStore,
    missing: Option<Arc<Missing>>,
    failed: Option<Arc<Failed>>,
}

type Missing = dyn Fn(&Context) + Send + Sync;
type Failed = dyn Fn(SourceFailed) + Send + Sync;

impl CredentialsLayer {
    /// Supplies what `plans` says from what `store` reads.
    pub fn new(plans: impl Plans, store: SecretStore) -> Self {
        Self { plans: Arc::new(plans), store, missing: None, failed: None }
    }

    /// Sets a callback for calls whose caller lacks a required credential, e.g. to end subscriptions opened with a revoked one. It must
    /// not block.
    #[must_use]
    pub fn telling_of_missing(mut self, missing: impl Fn(&Context) + Send + Sync + 'static) -> Self {
        self.missing = Some(Arc::new(missing));
        self
    }

    /// Sets a callback for calls that are not sent because a source of secrets does not work. It must not block.
    #[must_use]
    pub fn telling_of_failed(mut self, failed: impl Fn(SourceFailed) + Send + Sync + 'static) -> Self {
        self.failed = Some(Arc::new(failed));
        self
    }
}

impl<S> Layer<S> for CredentialsLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(self.clone(), inner)
    }
}

impl Stage for CredentialsLayer {
    /// The credentials until they are put into the call.
    type Pass = Option<Supplied>;

    fn enter(&self, call: &mut Call) -> Entry<Option<Supplied>> {
        let id = call.request().and_then(crossway_proto::Message::id);
        let note = call.context.extensions.get::<AuditNote>().cloned();
        let plan = match self.plans.plan(call) {
            Ok(plan) => plan,
            Err(missing) => {
                if let Some(tell) = &self.missing {
                    tell(&call.context);
                }
                return Entry::Answer(refused(id.as_ref(), note.as_ref(), &missing.into()));
            }
        };
        if let Some(supplied) = plan.supplied_now(&self.store) {
            return Entry::Pass(Some(supplied));
        }
        let store = self.store.clone();
        let missing = self.missing.clone().map(|tell| (tell, call.context.clone()));
        let failed = self.failed.clone();
        Entry::Wait(Box::pin(async move {
            let supplied = store.supply(plan.credentials()).await;
            match (&supplied, missing, failed) {
                (Err(NotSupplied::Missing(_)), Some((tell, context)), _) => tell(&context),
                (Err(NotSupplied::Failed(error)), _, Some(tell)) => tell(*error),
                _ => {}
            }
            supplied.map(Some).map_err(|error| refused(id.as_ref(), note.as_ref(), &error))
        }))
    }

    fn depart(supplied: &mut Option<Supplied>, call: &mut Call) {
        if let Some(supplied) = supplied.take() {
            call.context.extensions.insert(supplied);
        }
    }

    fn leave(_: Option<Supplied>, reply: Reply) -> Reply {
        reply
    }
}

/// The answer to a request without its credentials. Notifications are dropped without an answer.
fn refused(id: Option<&RequestId>, note: Option<&AuditNote>, error: &NotSupplied) -> Reply {
    note.inspect(|note| {
        note.not_sent();
        note.failed_because(error.to_string());
    });
    tracing::debug!(target: crate::names::CREDENTIALS, %error, "a call is not supplied with credentials");
    id.map_or_else(Reply::accepted, |id| error.to_reply(id))
}

impl fmt::Debug for CredentialsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsLayer").field(&self.store).finish()
    }
}
