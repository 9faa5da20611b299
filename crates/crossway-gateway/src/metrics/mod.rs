//! Prometheus metrics, all from one [table](TABLE).
//!
//! Labels are bounded. Tenants, upstreams and listeners are named by the configuration; reasons, outcomes and proofs are
//! named by the code. No label ever contains a user, a tool, an address or a text of a request.

mod calls;
mod failures;
mod family;
pub mod limits;
mod metered;
mod process;
mod slots;
mod table;
mod tenant;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use calls::{CallMeter, CallOutcome, MeteredCall};
use family::{FloatCounter, FloatGauge, Series, Value};
pub(crate) use metered::MeterLayer;
pub use table::{Kind, Row, TABLE, Unit};
pub use tenant::{HeldBytes, QuotaBound, TenantMeter};

use crate::operations::{AuditStatus, SessionCount, UpstreamState, UpstreamStatus};

/// The `Content-Type` of [`Metrics::scrape`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The result of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reload {
    /// The new contents are in force.
    Ok,
    /// The contents have not changed.
    Unchanged,
    /// The new contents could not be used; the previous ones stay in force.
    Failed,
}

impl Reload {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// All metrics of a gateway. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    tenants: RwLock<HashMap<Box<str>, Arc<TenantMeter>>>,
    /// The number of tenants' meters created so far. Each meter has its own number, even that of a tenant that was removed and added again.
    numbers: AtomicUsize,
    /// Allows one scrape at a time, since a scrape updates the series of states.
    scraping: Mutex<()>,
    calls: Series<Counter>,
    call_seconds: Series<Histogram>,
    calls_in_flight: Series<Gauge>,
    request_bytes: Series<Counter>,
    reply_bytes: Series<Counter>,
    request_bytes_in_flight: Series<Gauge>,
    reply_bytes_unsent: Series<Gauge>,
    quota_refusals: Series<Counter>,
    list_reads: Series<Counter>,
    denied: Series<Counter>,
    identity_refusals: Series<Counter>,
    jwks_reads: Series<Counter>,
    sessions: Series<Gauge>,
    upstream_state: Series<Gauge>,
    upstream_instances: Series<Gauge>,
    reloads: Series<Counter>,
    reloaded_at: Series<FloatGauge>,
    reload_ok: Series<Gauge>,
    config_pending: Series<Gauge>,
    config_info: Series<Gauge>,
    build_info: Series<Gauge>,
    audit_places: Series<Gauge>,
    audit_records: Series<Counter>,
    audit_waits: Series<Counter>,
    audit_refusals: Series<Counter>,
    tls_reloads: Series<Counter>,
    tls_failed: Series<Counter>,
    otlp_dropped: Series<Counter>,
    log_dropped: Series<Counter>,
    process_cpu: Series<FloatCounter>,
    process_resident: Series<Gauge>,
    process_virtual: Series<Gauge>,
    process_fds: Series<Gauge>,
    process_max_fds: Series<Gauge>,
    process_start: Series<FloatGauge>,
    process_threads: Series<Gauge>,
}

impl Metrics {
    /// Creates all metrics. Only those without labels have a series yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let to = &mut registry;
        // The fields are evaluated in the order that they are written in here, which is the table's.
        let inner = Inner {
            calls: Series::new(&table::CALLS, to),
            call_seconds: Series::new(&table::CALL_SECONDS, to),
            calls_in_flight: Series::new(&table::CALLS_IN_FLIGHT, to),
            request_bytes: Series::new(&table::REQUEST_BYTES, to),
            reply_bytes: Series::new(&table::REPLY_BYTES, to),
            request_bytes_in_flight: Series::new(&table::REQUEST_BYTES_IN_FLIGHT, to),
            reply_bytes_unsent: Series::new(&table::REPLY_BYTES_UNSENT, to),
            quota_refusals: Series::new(&table::QUOTA_REFUSALS, to),
            list_reads: Series::new(&table::LIST_READS, to),
            denied: Series::new(&table::DENIED, to),
            identity_refusals: Series::new(&table::IDENTITY_REFUSALS, to),
            jwks_reads: Series::new(&table::JWKS_READS, to),
            sessions: Series::new(&table::SESSIONS, to),
            upstream_state: Series::new(&table::UPSTREAM_STATE, to),
            upstream_instances: Series::new(&table::UPSTREAM_INSTANCES, to),
            reloads: Series::new(&table::RELOADS, to),
            reloaded_at: Series::new(&table::RELOADED_AT, to),
            reload_ok: Series::new(&table::RELOAD_OK, to),
            config_pending: Series::new(&table::CONFIG_PENDING, to),
            config_info: Series::new(&table::CONFIG_INFO, to),
            build_info: Series::new(&table::BUILD_INFO, to),
            audit_places: Series::new(&table::AUDIT_PLACES, to),
            audit_records: Series::new(&table::AUDIT_RECORDS, to),
            audit_waits: Series::new(&table::AUDIT_WAITS, to),
            audit_refusals: Series::new(&table::AUDIT_REFUSALS, to),
            tls_reloads: Series::new(&table::TLS_RELOADS, to),
            tls_failed: Series::new(&table::TLS_FAILED, to),
            otlp_dropped: Series::new(&table::OTLP_DROPPED, to),
            log_dropped: Series::new(&table::LOG_DROPPED, to),
            process_cpu: Series::new(&table::PROCESS_CPU, to),
            process_resident: Series::new(&table::PROCESS_RESIDENT, to),
            process_virtual: Series::new(&table::PROCESS_VIRTUAL, to),
            process_fds: Series::new(&table::PROCESS_FDS, to),
            process_max_fds: Series::new(&table::PROCESS_MAX_FDS, to),
            process_start: Series::new(&table::PROCESS_START, to),
            process_threads: Series::new(&table::PROCESS_THREADS, to),
            tenants: RwLock::default(),
            numbers: AtomicUsize::new(0),
            scraping: Mutex::new(()),
            registry,
        };
        inner.config_pending.with([]).set(0);
        inner.build_info.with([env!("CARGO_PKG_VERSION").into()]).set(1);
        Self(Arc::new(inner))
    }

    /// Returns the meter of a tenant, which has to be named by the configuration.
    #[must_use]
    pub fn tenant(&self, name: &str) -> Arc<TenantMeter> {
        let tenants = self.0.tenants.read();
        if let Some(meter) = tenants.get(name) {
            return Arc::clone(meter);
        }
        drop(tenants);
        let mut tenants = self.0.tenants.write();
        Arc::clone(tenants.entry(name.into()).or_insert_with(|| Arc::new(TenantMeter::new(&self.0, name))))
    }

    /// Returns the meter of a tenant's calls to an upstream. Both have to be named by the configuration.
    #[must_use]
    pub fn calls(&self, tenant: &str, upstream: &str) -> Arc<CallMeter> {
        self.calls_of(&self.tenant(tenant), upstream)
    }

    /// Like [`calls`](Self::calls), with the tenant's meter.
    #[must_use]
    pub fn calls_of(&self, tenant: &TenantMeter, upstream: &str) -> Arc<CallMeter> {
        tenant.calls(&self.0, upstream)
    }

    /// Returns the counters of list reads of an upstream, which has to be named by the configuration.
    fn list_reads(&self, upstream: &str) -> [Counter; 6] {
        let name = Arc::from(upstream);
        CallOutcome::ALL.map(|outcome| self.0.list_reads.with([Value::from(&name), outcome.word().into()]))
    }

    /// Removes the series of tenants and upstreams that the configuration no longer names.
    pub fn keep(&self, tenants: &HashSet<&str>, upstreams: &HashSet<&str>) {
        let inner = &*self.0;
        let (is_tenant, is_upstream) =
            (|name: &str| tenants.contains(name), |name: &str| upstreams.contains(name));
        {
            let mut meters = inner.tenants.write();
            meters.retain(|name, _| is_tenant(name));
            meters.values().for_each(|meter| meter.keep(is_upstream));
        }
        for counters in [
            &inner.calls,
            &inner.request_bytes,
            &inner.reply_bytes,
            &inner.quota_refusals,
            &inner.list_reads,
            &inner.denied,
        ] {
            counters.keep("tenant", is_tenant);
            counters.keep("upstream", is_upstream);
        }
        for gauges in [&inner.calls_in_flight, &inner.request_bytes_in_flight, &inner.reply_bytes_unsent] {
            gauges.keep("tenant", is_tenant);
            gauges.keep("upstream", is_upstream);
        }
        inner.call_seconds.keep("tenant", is_tenant);
        inner.call_seconds.keep("upstream", is_upstream);
    }

    /// Counts a tenant's call that policy did not permit.
    pub fn denied(&self, tenant: &str, reason: &'static str) {
        self.0.denied.with([configured(tenant), reason.into()]).inc();
    }

    /// Counts a request without a valid identity.
    pub fn identity_refused(&self, proof: &'static str, reason: &'static str) {
        self.0.identity_refusals.with([proof.into(), reason.into()]).inc();
    }

    /// Counts a fetch of the authorization server's keys.
    pub fn jwks_read(&self, result: Reload) {
        self.0.jwks_reads.with([result.word().into()]).inc();
    }

    /// Counts a reload of the configuration.
    pub fn config_reloaded(&self, result: Reload) {
        self.0.reloads.with([result.word().into()]).inc();
        self.0.reload_ok.with([]).set(i64::from(result != Reload::Failed));
    }

    /// Records that the configuration with this hash is in force from now on, at the start or after a reload.
    pub fn config_in_force(&self, hash: &str) {
        self.0.config_info.clear();
        self.0.config_info.with([configured(hash)]).set(1);
        self.0.reload_ok.with([]).set(1);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.reloaded_at.with([]).set(now.as_secs_f64());
    }

    /// Records whether keys have changed that take effect only at the next start.
    pub fn config_pending(&self, is_pending: bool) {
        self.0.config_pending.with([]).set(i64::from(is_pending));
    }

    /// Counts a reload of a listener's certificates, which had changed.
    pub fn tls_reloaded(&self, listener: &str, is_ok: bool) {
        let result = if is_ok { "ok" } else { "failed" };
        self.0.tls_reloads.with([configured(listener), result.into()]).inc();
    }

    /// Counts a failed TLS handshake on a listener.
    pub fn tls_failed(&self, listener: &str, reason: &'static str) {
        self.0.tls_failed.with([configured(listener), reason.into()]).inc();
    }

    /// Counts spans or metrics that could not be sent to a collector.
    pub fn otlp_dropped(&self, signal: &'static str, count: usize) {
        self.0.otlp_dropped.with([signal.into()]).inc_by(count as u64);
    }

    /// Returns all metrics as text, in Prometheus' format 0.0.4, updated with these states.
    #[must_use]
    pub fn scrape(
        &self,
        upstreams: &[UpstreamStatus],
        sessions: &[SessionCount],
        audit: Option<&AuditStatus>,
    ) -> String {
        let _one = self.0.scraping.lock();
        self.take_upstreams(upstreams);
        for count in sessions {
            self.0.sessions.with([count.face.into()]).set(signed(count.open as u64));
        }
        if let Some(audit) = audit {
            self.take_audit(audit);
        }
        self.0.log_dropped.with([]).inner().store(crate::log::dropped(), Ordering::Relaxed);
        self.take_process();
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = prometheus_text::encode(&mut text, &self.0.registry);
        text
    }

    fn take_upstreams(&self, upstreams: &[UpstreamStatus]) {
        let inner = &*self.0;
        inner.upstream_state.clear();
        inner.upstream_instances.clear();
        for upstream in upstreams {
            let name = Arc::from(upstream.name.as_str());
            for state in UpstreamState::ALL {
                let is_it = i64::from(state == upstream.state);
                inner.upstream_state.with([Value::from(&name), state.word().into()]).set(is_it);
            }
            let Some(counts) = upstream.instances else { continue };
            for (state, count) in [
                (UpstreamState::Up, counts.up),
                (UpstreamState::Trying, counts.trying),
                (UpstreamState::Down, counts.down),
            ] {
                let series = inner.upstream_instances.with([Value::from(&name), state.word().into()]);
                series.set(signed(count as u64));
            }
        }
    }

    fn take_audit(&self, audit: &AuditStatus) {
        let inner = &*self.0;
        let places = |state: &'static str| inner.audit_places.with([state.into()]);
        places("taken").set(signed(audit.places as u64));
        places("free").set(signed(audit.most.saturating_sub(audit.places) as u64));
        let totals = [
            (&inner.audit_records, audit.recorded),
            (&inner.audit_waits, audit.waited),
            (&inner.audit_refusals, audit.refused),
        ];
        for (series, total) in totals {
            series.with([]).inner().store(total, Ordering::Relaxed);
        }
    }

    fn take_process(&self) {
        let Some(process) = process::look() else { return };
        let inner = &*self.0;
        inner.process_cpu.with([]).inner().store(process.cpu_seconds.to_bits(), Ordering::Relaxed);
        inner.process_resident.with([]).set(signed(process.resident_bytes));
        inner.process_virtual.with([]).set(signed(process.virtual_bytes));
        inner.process_fds.with([]).set(signed(process.open_fds));
        inner.process_start.with([]).set(process.started);
        inner.process_threads.with([]).set(signed(process.threads));
        if let Some(max) = process.max_fds {
            inner.process_max_fds.with([]).set(signed(max));
        }
    }
}

fn configured(name: &str) -> Value {
    Value::Configured(Arc::from(name))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
