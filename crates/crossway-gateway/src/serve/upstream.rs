//! One upstream of `crossway serve`: its layers and its instances.

use std::sync::Arc;
use std::time::Duration;

use crossway_layers::credentials::{SecretStore, Supplied};
use crossway_layers::limit::{LimitLayer, LimitOptions};
use crossway_layers::{AuthorizeLayer, SanitizeLayer};
use crossway_openapi::Attached;
use crossway_router::guard::GuardOptions;
use crossway_router::{
    Ledger, Router, RouterOptions, ScopeKey, Scoped, SharedBy, ToLegacyOptions, Unprefixed,
};
use crossway_seal::Keyring;
use crossway_service::{Call, CallError, Connection, Context, Link, Reason, Reply, Scope, Upstream};

use super::access::PolicyAccess;
use super::actor::Actor;
use super::current_policy::CurrentPolicy;
use super::endings::{Endings, Lasting};
use super::instances::{Instances, MonitoredUpstream, Shown};
use super::owned::OwnerLayer;
use super::quotas::{PolicyQuotas, children, refused, tenant_among_others, tenant_of_shared};
use super::supply::{Holder, KeyLayer, credentials};
use crate::config::UpstreamSpec;
use crate::config::file::ScopeFile;
use crate::metrics::{MeterLayer, Metrics, QuotaBound, TenantMeter};
use crate::plan::UpstreamPlan;
use crate::servers::Server;
use crate::upstream::connect::Connect;
use crate::upstream::member::Member;
use crate::upstream::pending::PendingUpstream;

/// One upstream as it is served.
pub(super) struct Served {
    pub(super) spec: UpstreamSpec,
    /// For the router of all upstreams.
    pub(super) upstream: Arc<dyn Upstream>,
    /// A router of this upstream alone, whose items keep their names.
    pub(super) alone: Router,
    pub(super) scoped: Scoped,
    instances: Instances,
    endings: Endings,
}

impl Served {
    pub(super) fn new(
        spec: UpstreamSpec,
        current: &CurrentPolicy,
        secrets: &SecretStore,
        counts: &Counts,
        metrics: &Metrics,
        keyring: &Arc<Keyring>,
        connect: &Connect,
    ) -> Self {
        let name: Arc<str> = spec.name.as_str().into();
        let instances = Instances::default();
        let holder = Holder::new(Arc::clone(&name), current.clone());
        let scoped = scoped(&spec, current, counts, connect, &instances, holder.clone());
        let is_api = matches!(spec.plan, UpstreamPlan::Api(_));
        let (scoped_for_ending, instances_for_trouble) = (scoped.clone(), instances.clone());
        let credentials = credentials(name.clone(), current.clone(), secrets.clone(), is_api)
            .telling_of_missing(move |context| {
                holder.of(context).inspect(|holder| scoped_for_ending.end_listening(holder));
            })
            .telling_of_failed(move |error| {
                instances_for_trouble.trouble(format!("its credentials can't be had: {error}"));
            });
        // From the server outwards; a call goes through it from the last line to the first. No layer may overtake another: gate, sanitize,
        // owner, quotas, metrics, credentials, key.
        let inner = scoped
            .clone()
            .layered(KeyLayer::new(name.clone(), current.clone()))
            .layered(credentials)
            .layered(MeterLayer::new(metrics.clone(), &name, tenant_of))
            .layered(counts.calls.clone())
            .layered(OwnerLayer::new(name.clone(), keyring.clone()));
        let inner: Arc<dyn Upstream> =
            if spec.sanitize { Arc::new(inner.layered(SanitizeLayer::new())) } else { Arc::new(inner) };
        let upstream: Arc<dyn Upstream> = Arc::new(inner.layered(AuthorizeLayer::gate(&name)));
        let mut options =
            RouterOptions::default().access(PolicyAccess::by_name(current.clone(), metrics.clone())).alone();
        if !spec.instructions {
            options = options.without_instructions();
        }
        let alone = Router::with_naming(options, Unprefixed);
        alone.insert(&spec.name, &upstream);
        Self { spec, upstream, alone, scoped, instances, endings: counts.endings.clone() }
    }

    /// What operators see of it.
    pub(super) fn monitored(&self) -> MonitoredUpstream {
        let (name, scoped) = (self.spec.name.clone(), self.scoped.clone());
        MonitoredUpstream { name, scoped, instances: self.instances.clone() }
    }

    /// Tells listening clients that the lists may have changed.
    pub(super) fn announce(&self) {
        self.alone.announce();
    }

    pub(super) async fn close(&self) {
        self.scoped.close().await;
    }

    /// Closes it after `drain`, in which calls in flight may finish. Instances that can't reach the server try no more.
    pub(super) fn retire(self, drain: Duration) {
        self.instances.attempts().end();
        let endings = self.endings.clone();
        endings.later(drain, async move { self.close().await });
    }
}

/// The instances of an upstream, one for each scope.
fn scoped(
    spec: &UpstreamSpec,
    current: &CurrentPolicy,
    counts: &Counts,
    connect: &Connect,
    instances: &Instances,
    holder: Holder,
) -> Scoped {
    let (current_for_guard, name) = (current.clone(), spec.name.clone());
    let guard = spec.guard().group_by(move |context| tenant_of_shared(&current_for_guard, &name, context));
    let (made, connect, endings) = (spec.clone(), Arc::clone(connect), counts.endings.clone());
    let (current_for_make, instances_for_make) = (current.clone(), instances.clone());
    let make = move |_: &ScopeKey, context: &Context| -> Box<dyn Upstream> {
        // The credentials are for the upstream that has the name now. This one was replaced, and ends with its last calls.
        if current_for_make.get().plans.get(&made.name) != Some(&made.plan) {
            return Box::new(Replaced);
        }
        let supplied = context.extensions.get::<Supplied>().cloned().unwrap_or_default();
        let to_legacy = made.bound_sessions(sessions(&made, &current_for_make));
        let mut made = made.clone();
        if let UpstreamPlan::Command(command) = &mut made.plan
            && current_for_make.get().scopes.get(&made.name) != Some(&ScopeFile::Shared)
        {
            let actor = context.extensions.get::<Actor>();
            command.tenant = actor.map(|actor| actor.rights().tenant().as_str().into());
        }
        Box::new(Instance::new(
            &made,
            guard.clone(),
            to_legacy,
            &supplied,
            Arc::clone(&connect),
            &instances_for_make,
            endings.expect(),
        ))
    };
    let options = spec.scoped();
    let scoped = match &spec.plan {
        UpstreamPlan::Command(_) => {
            let (current, name) = (current.clone(), spec.name.clone());
            let bounds = move |context: &Context| children(&current, &name, context);
            Scoped::bounded(make, options, counts.processes.clone(), bounds)
        }
        UpstreamPlan::Url(_) | UpstreamPlan::Api(_) => Scoped::new(make, options),
    };
    let current_for_groups = current.clone();
    scoped.group_by(move |context| tenant_among_others(&current_for_groups, context));
    scoped.hold_by(move |context| holder.of(context));
    scoped
}

/// The metrics of the tenant that makes a call.
fn tenant_of(context: &Context) -> Option<&TenantMeter> {
    context.extensions.get::<Actor>().map(Actor::meter)
}

/// What all upstreams count together.
pub(super) struct Counts {
    calls: LimitLayer,
    /// The running processes of tenants and users.
    processes: Ledger,
    /// The upstreams and instances that are yet to end.
    pub(super) endings: Endings,
}

impl Counts {
    /// Counts calls against the quotas of the policy in force.
    pub(super) fn new(current: &CurrentPolicy, metrics: &Metrics) -> Self {
        let quotas = PolicyQuotas { current: current.clone(), metrics: metrics.clone() };
        let calls = LimitLayer::new(quotas, LimitOptions::default());
        let processes = Ledger::telling(|context| refused(context, QuotaBound::Children));
        Self { calls, processes, endings: Endings::default() }
    }
}

/// How callers share the sessions of one legacy instance. Where tenants or users share them, none of these may hold all.
fn sessions(spec: &UpstreamSpec, current: &CurrentPolicy) -> ToLegacyOptions {
    let (name, current) = (spec.name.clone(), current.clone());
    match spec.scope {
        ScopeFile::Session => ToLegacyOptions::shared_by(SharedBy::ClientSession),
        // All callers of the scope share the instance.
        ScopeFile::User => ToLegacyOptions::shared_by(SharedBy::Everyone).of_one_user(),
        ScopeFile::Tenant | ScopeFile::Shared => ToLegacyOptions::shared_by(SharedBy::Everyone).shared_among(
            move |context| tenant_of_shared(&current, &name, context),
            |context| context.extensions.get::<Actor>().map(|actor| actor.user().clone()),
        ),
    }
}

/// The instance of an upstream for one scope.
struct Instance {
    member: Option<(Member, Lasting)>,
    modern: PendingUpstream,
    /// Shows the instance to operators until it is dropped.
    _shown: Arc<Shown>,
}

impl Instance {
    fn new(
        spec: &UpstreamSpec,
        guard: GuardOptions,
        to_legacy: ToLegacyOptions,
        supplied: &Supplied,
        connect: Connect,
        all: &Instances,
        lasting: Lasting,
    ) -> Self {
        let mut plan = spec.plan.clone();
        match &mut plan {
            UpstreamPlan::Command(command) => {
                for (name, value) in supplied.variables() {
                    command.env.retain(|(known, _)| known != name);
                    command.env.push((name.into(), value.expose().into()));
                }
            }
            UpstreamPlan::Url(url) => {
                for (name, value) in supplied.headers() {
                    url.headers.retain(|(known, _)| known != name);
                    url.headers.push((name.clone(), value));
                }
            }
            UpstreamPlan::Api(api) => attach(&mut api.attached, supplied),
        }
        let server =
            Server { name: spec.name.clone(), upstream: plan, disabled_tools: spec.disabled_tools.clone() };
        let (member, modern, _) =
            Member::start(connect, server, guard, to_legacy, all.attempts().clone(), || {});
        let shown = all.show(member.vitals());
        Self { member: Some((member, lasting)), modern, _shown: shown }
    }
}

/// Stands in for an instance of an upstream that was replaced or removed.
struct Replaced;

impl Upstream for Replaced {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self)
    }
}

impl Connection for Replaced {
    fn call(&self, _: Call) -> Reply {
        Reply::failed(CallError::not_sent(Reason::Closing))
    }
}

/// Attaches a caller's credentials to all requests. They replace what is attached for everybody.
fn attach(attached: &mut Attached, supplied: &Supplied) {
    for (name, value) in supplied.headers() {
        match attached.clone().header_value(name.clone(), value) {
            Ok(with) => *attached = with,
            // The policy refuses such headers too.
            Err(error) => tracing::warn!(%error, "a credential is not sent"),
        }
    }
    for (name, value) in supplied.query() {
        *attached = std::mem::take(attached).query(name, value.expose());
    }
}

impl Upstream for Instance {
    fn connect(&self, scope: Scope) -> Link {
        self.modern.connect(scope)
    }
}

impl Drop for Instance {
    /// Ends the child, or the sessions, in the background.
    fn drop(&mut self) {
        if let Some((member, lasting)) = self.member.take() {
            lasting.end(member.close());
        }
    }
}
