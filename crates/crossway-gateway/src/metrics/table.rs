//! The table of all metrics: name, kind, unit, labels and description. Registration and documentation derive from it.

use super::limits::DURATION_BUCKETS;

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The full name, as scraped.
    pub name: &'static str,
    /// The kind of metric.
    pub kind: Kind,
    /// The unit.
    pub unit: Unit,
    /// The names of the labels. Their values come from the configuration or from the code, never from a request.
    pub labels: &'static [&'static str],
    /// A description in one sentence.
    pub help: &'static str,
}

/// A kind of metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A number that only goes up, until the process ends.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Observations in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Prometheus' word for the kind.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things, or states.
    One,
    /// Seconds, or seconds since 1970 in a name with `timestamp`.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The unit's word in metrics' names; empty for [`Unit::One`].
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::One => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }
}

impl Row {
    const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit: Unit::One, labels, help }
    }

    const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit: Unit::One, labels, help }
    }

    const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram(DURATION_BUCKETS), unit: Unit::Seconds, labels, help }
    }

    const fn in_seconds(self) -> Self {
        Self { unit: Unit::Seconds, ..self }
    }

    const fn in_bytes(self) -> Self {
        Self { unit: Unit::Bytes, ..self }
    }
}

pub(super) const CALLS: Row = Row::counter(
    "crossway_calls_total",
    &["tenant", "upstream", "outcome"],
    "Calls that have ended: ok, error (the upstream's), refused (by the upstream below the level of messages), not_sent (a missing credential included), unknown (sent, with no answer), cancelled (by the client).",
);
pub(super) const CALL_SECONDS: Row = Row::histogram(
    "crossway_call_duration_seconds",
    &["tenant", "upstream"],
    "How long calls took from the gateway's layers to their last message, however they ended.",
);
pub(super) const CALLS_IN_FLIGHT: Row =
    Row::gauge("crossway_calls_in_flight", &["tenant", "upstream"], "Calls that have not ended yet.");
pub(super) const REQUEST_BYTES: Row = Row::counter(
    "crossway_request_bytes_total",
    &["tenant", "upstream"],
    "Bytes of requests as JSON, without what transports put around them.",
)
.in_bytes();
pub(super) const REPLY_BYTES: Row = Row::counter(
    "crossway_reply_bytes_total",
    &["tenant", "upstream"],
    "Bytes of replies as JSON, messages before the response included.",
)
.in_bytes();
pub(super) const REQUEST_BYTES_IN_FLIGHT: Row = Row::gauge(
    "crossway_request_in_flight_bytes",
    &["tenant", "upstream"],
    "Bytes of the requests of calls that have not ended yet, those included that wait for their turn under a quota.",
)
.in_bytes();
pub(super) const REPLY_BYTES_UNSENT: Row = Row::gauge(
    "crossway_reply_unsent_bytes",
    &["tenant"],
    "Bytes of replies that clients have not taken yet, of pieces of 16 KiB or more.",
)
.in_bytes();
pub(super) const QUOTA_REFUSALS: Row = Row::counter(
    "crossway_quota_refusals_total",
    &["tenant", "bound"],
    "Requests that a quota refused, by what there was too much of: requests (of any kind), calls, in_flight (too many waited, or one for too long), bytes, children, closed (a quota of nothing), keys (of all tenants: more counts than are kept).",
);
pub(super) const LIST_READS: Row = Row::counter(
    "crossway_list_reads_total",
    &["upstream", "outcome"],
    "Times that a list (of tools, prompts, resources or templates) was asked of the upstream itself, from its first page on, by how that page's call ended.",
);
pub(super) const DENIED: Row = Row::counter(
    "crossway_denied_total",
    &["tenant", "reason"],
    "Calls that policy did not permit, by why. Callers are not told.",
);
pub(super) const IDENTITY_REFUSALS: Row = Row::counter(
    "crossway_identity_refusals_total",
    &["proof", "reason"],
    "Requests without a valid identity, by the proof that the listener asks for and by why.",
);
pub(super) const JWKS_READS: Row = Row::counter(
    "crossway_jwks_reads_total",
    &["result"],
    "Times that the keys of the authorization server were asked for at their URL: ok, unchanged or failed.",
);
pub(super) const SESSIONS: Row =
    Row::gauge("crossway_sessions", &["face"], "Sessions that are open, by the face they came in by.");
pub(super) const UPSTREAM_STATE: Row = Row::gauge(
    "crossway_upstream_state",
    &["upstream", "state"],
    "1 for the state that the upstream is in, 0 for the others: idle (nothing was asked of it yet, or not for long), up, trying, down. Of several instances the best one's.",
);
pub(super) const UPSTREAM_INSTANCES: Row = Row::gauge(
    "crossway_upstream_instances",
    &["upstream", "state"],
    "Instances of the upstream, of which each scope has its own: up, trying (being reached, or tried with one call), down (left alone, or not reached).",
);
pub(super) const RELOADS: Row = Row::counter(
    "crossway_config_reloads_total",
    &["result"],
    "Times that the configuration was read anew: ok, unchanged or failed.",
);
pub(super) const RELOADED_AT: Row = Row::gauge(
    "crossway_config_last_reload_success_timestamp_seconds",
    &[],
    "When the configuration in force was taken over.",
)
.in_seconds();
pub(super) const RELOAD_OK: Row = Row::gauge(
    "crossway_config_last_reload_successful",
    &[],
    "1 if the file as it is now was taken over, 0 if it could not be.",
);
pub(super) const CONFIG_PENDING: Row = Row::gauge(
    "crossway_config_pending_restart",
    &[],
    "1 if keys of the file have changed that hold from the next start on (the log names them), 0 if all of it is in force.",
);
pub(super) const CONFIG_INFO: Row = Row::gauge(
    "crossway_config_info",
    &["hash"],
    "1, with a hash of the file that was taken over: the same on all replicas that have the same.",
);
pub(super) const BUILD_INFO: Row =
    Row::gauge("crossway_build_info", &["version"], "1, with the version of the binary.");
pub(super) const AUDIT_PLACES: Row = Row::gauge(
    "crossway_audit_places",
    &["state"],
    "Places of the audit log: taken (calls in flight, and records that wait to be written) and free. Without a free one, calls wait or are refused.",
);
pub(super) const AUDIT_RECORDS: Row =
    Row::counter("crossway_audit_records_total", &[], "Records that were written to the audit log.");
pub(super) const AUDIT_WAITS: Row = Row::counter(
    "crossway_audit_waits_total",
    &[],
    "Calls that waited for a place in the audit log, however that ended.",
);
pub(super) const AUDIT_REFUSALS: Row = Row::counter(
    "crossway_audit_refusals_total",
    &[],
    "Calls that were refused because they could not be audited.",
);
pub(super) const TLS_RELOADS: Row = Row::counter(
    "crossway_tls_reloads_total",
    &["listener", "result"],
    "Times that a listener's certificates had changed and were read anew: ok or failed.",
);
pub(super) const TLS_FAILED: Row = Row::counter(
    "crossway_tls_handshake_failures_total",
    &["listener", "reason"],
    "TLS handshakes that failed: timeout, certificate (the client's), protocol, io.",
);
pub(super) const OTLP_DROPPED: Row = Row::counter(
    "crossway_otlp_dropped_total",
    &["signal"],
    "Spans and metrics that a collector did not take, or that there was no room for: traces or metrics.",
);
pub(super) const LOG_DROPPED: Row = Row::counter(
    "crossway_log_dropped_total",
    &[],
    "Lines of the log that were dropped: standard error is not read as fast as they come, or they are longer than 64 KiB.",
);
pub(super) const PROCESS_CPU: Row =
    Row::counter("process_cpu_seconds_total", &[], "Processor time of this process, user and system.")
        .in_seconds();
pub(super) const PROCESS_RESIDENT: Row = Row::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory of this process, without its children.",
)
.in_bytes();
pub(super) const PROCESS_VIRTUAL: Row =
    Row::gauge("process_virtual_memory_bytes", &[], "Address space of this process.").in_bytes();
pub(super) const PROCESS_FDS: Row = Row::gauge("process_open_fds", &[], "File descriptors that are open.");
pub(super) const PROCESS_MAX_FDS: Row =
    Row::gauge("process_max_fds", &[], "File descriptors that may be open at the most.");
pub(super) const PROCESS_START: Row =
    Row::gauge("process_start_time_seconds", &[], "When this process was started.").in_seconds();
pub(super) const PROCESS_THREADS: Row = Row::gauge("process_threads", &[], "Threads of this process.");

/// All metrics, in the order in which they are documented and scraped.
pub const TABLE: &[Row] = &[
    CALLS,
    CALL_SECONDS,
    CALLS_IN_FLIGHT,
    REQUEST_BYTES,
    REPLY_BYTES,
    REQUEST_BYTES_IN_FLIGHT,
    REPLY_BYTES_UNSENT,
    QUOTA_REFUSALS,
    LIST_READS,
    DENIED,
    IDENTITY_REFUSALS,
    JWKS_READS,
    SESSIONS,
    UPSTREAM_STATE,
    UPSTREAM_INSTANCES,
    RELOADS,
    RELOADED_AT,
    RELOAD_OK,
    CONFIG_PENDING,
    CONFIG_INFO,
    BUILD_INFO,
    AUDIT_PLACES,
    AUDIT_RECORDS,
    AUDIT_WAITS,
    AUDIT_REFUSALS,
    TLS_RELOADS,
    TLS_FAILED,
    OTLP_DROPPED,
    LOG_DROPPED,
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START,
    PROCESS_THREADS,
];
