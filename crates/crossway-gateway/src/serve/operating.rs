//! Starts the operations listener and the audit log.

use std::io;
use std::sync::Arc;

use crossway_layers::audit::{AuditKey, AuditLayer, AuditLog, AuditOptions, Overflow};
use crossway_streamable_http::server::http::serve_with;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::audit_file::AuditFile;
use super::current_policy::CurrentPolicy;
use super::instances::MonitoredUpstream;
use super::question::Question;
use crate::RunError;
use crate::config::file::OverflowFile;
use crate::config::limits::AUDIT_END;
use crate::config::{self, AuditTo};
use crate::faces::Faces;
use crate::identity::Identity;
use crate::listener::listener;
use crate::metrics::Metrics;
use crate::operations::{
    AuditStatus, BadQuestion, Operations, OperationsSource, Readiness, SessionCount, UpstreamStatus,
};
use crate::otlp::Exporter;
use crate::shutdown::{Hangup, Signals};
use crate::tls::{MaybeTls, Tls, TlsFiles};

/// What the operations listener shows.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) current: CurrentPolicy,
    pub(super) faces: Faces,
    pub(super) upstreams: Arc<Mutex<Vec<MonitoredUpstream>>>,
    pub(super) audit: Option<AuditLog>,
}

impl OperationsSource for Source {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        let upstreams = self.upstreams.lock();
        upstreams.iter().map(MonitoredUpstream::status).collect()
    }

    fn sessions(&self) -> Vec<SessionCount> {
        let (mcp, sse) = self.faces.sessions();
        vec![
            SessionCount { face: "streamable-http", open: mcp },
            SessionCount { face: "http-sse", open: sse },
        ]
    }

    fn audit(&self) -> Option<AuditStatus> {
        let counts = self.audit.as_ref()?.counts();
        Some(AuditStatus {
            places: counts.places,
            most: counts.most,
            recorded: counts.recorded,
            waited: counts.waited,
            refused: counts.refused,
        })
    }

    fn explain(&self, question: &RawValue) -> Result<Box<RawValue>, BadQuestion> {
        let question = Question::parse(question.get()).map_err(BadQuestion::new)?;
        let snapshot = self.current.get();
        let answer = question
            .answer(snapshot.actors.policy(), &snapshot.identity, snapshot.asked(&question.upstream))
            .map_err(BadQuestion::new)?;
        to_raw_value(&answer).map_err(|error| BadQuestion::new(error.to_string()))
    }
}

/// Serves the operations listener until the task is aborted.
pub(super) async fn operate(
    config: config::Operations,
    source: Source,
    readiness: Readiness,
    metrics: Metrics,
    bound: Option<std::net::TcpListener>,
) -> Result<JoinHandle<()>, RunError> {
    let address = config.address;
    let key = config.admin_key;
    let tls = config.tls.map(|tls| load_tls("operations", tls, &metrics)).transpose()?;
    let listener = listener(address, bound, " (operations.listen)").await?;
    tracing::info!(address = %listener.local_addr().unwrap_or(address), "operations are served");
    let service = Operations::new(source, readiness, metrics, config.hosts, key);
    let limits = crate::operations::limits::http();
    Ok(tokio::spawn(serve_with(listener, MaybeTls::of(tls), service, limits, std::future::pending())))
}

/// Keeps the readiness probe informed of whether the keys of the configured authorization server are loaded. After a reload, the keys of a
/// new one have to be fetched first.
pub(super) async fn follow_keys(mut identities: watch::Receiver<Identity>, readiness: Readiness) {
    loop {
        let identity = identities.borrow_and_update().clone();
        if identity.keys_there().now_or_never().is_none() {
            readiness.keys_loaded(false);
            tokio::select! {
                () = identity.keys_there() => {}
                changed = identities.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
        }
        readiness.keys_loaded(true);
        if identities.changed().await.is_err() {
            return;
        }
    }
}

/// The exporters to a collector.
pub(super) struct Telling {
    stop: oneshot::Sender<()>,
    sending: JoinHandle<()>,
}

impl Telling {
    pub(super) fn new(exporter: Exporter, source: Source, metrics: Metrics) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let scrape = move || metrics.scrape(&source.upstreams(), &source.sessions(), source.audit().as_ref());
        Self { stop, sending: tokio::spawn(exporter.run(scrape, async { drop(stopped.await) })) }
    }

    /// Sends what is left, until that has taken too long or the process is asked to end once more.
    pub(super) async fn end(mut self) {
        let again = async {
            let Ok(mut signals) = Signals::new(Hangup::Reloads) else { return std::future::pending().await };
            if signals.asked().await.is_err() {
                std::future::pending().await
            }
        };
        let _ = self.stop.send(());
        tokio::select! {
            _ = &mut self.sending => {}
            () = again => {
                tracing::warn!("asked to end once more; what is left for the collector is dropped");
                self.sending.abort();
            }
        }
    }
}

/// Reads a listener's certificates, and reads them again when they change.
pub(super) fn load_tls(listener: &str, files: TlsFiles, metrics: &Metrics) -> Result<Tls, RunError> {
    let tls = Tls::load(listener, files, metrics.clone())?;
    tokio::spawn(tls.clone().watch(crate::tls::limits::LOOK));
    Ok(tls)
}

/// Starts the audit log, which writes on a thread of its own.
///
/// # Errors
///
/// When the file can't be opened, or there is no randomness for a key.
pub(super) fn record(audit: &config::Audit) -> Result<(AuditLayer, AuditLog), RunError> {
    let key = match &audit.key {
        Some(key) => AuditKey::new(key.expose().as_bytes()),
        None => AuditKey::generate().ok_or(RunError::NoRandomness)?,
    };
    let overflow = match audit.overflow {
        OverflowFile::Wait => Overflow::Wait,
        OverflowFile::Refuse => Overflow::Refuse,
    };
    let mut options = AuditOptions::default().overflow(overflow);
    if let Some(calls) = audit.calls {
        options = options.calls(calls.get());
    }
    let (log, writer) = AuditLog::new(key, options);
    let out: Box<dyn io::Write + Send> = match &audit.to {
        AuditTo::Stderr => Box::new(io::stderr()),
        AuditTo::File(file) => {
            let opened = AuditFile::open(file.clone());
            Box::new(opened.map_err(|source| RunError::AuditFile { file: file.clone(), source })?)
        }
    };
    let thread = std::thread::Builder::new().name("audit".to_owned());
    let written = thread.spawn(move || {
        if let Err(error) = writer.run_blocking(out) {
            tracing::error!(%error, "records of calls could not be written");
        }
    });
    written.map_err(RunError::Stdio)?;
    Ok((AuditLayer::new(log.clone()), log))
}

/// Waits until the records of all calls are written, for [`AUDIT_END`] at most. No call may be in flight any more.
pub(super) async fn recorded_all(log: &AuditLog) {
    if tokio::time::timeout(AUDIT_END, log.written()).await.is_err() {
        tracing::warn!(left = log.counts().places, "records of calls could not be written by the end");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The edge of a config whose proof is this.
    fn identity(proof: &str) -> Identity {
        let text = format!("identity: {{ {proof} }}\nupstreams: {{ time: {{ command: uvx }} }}\n");
        config::parse(Path::new("a.yaml"), &text, |_| None).unwrap().identity
    }

    #[tokio::test]
    async fn it_is_not_ready_while_the_keys_of_another_authorization_server_are_missing() {
        let (there, keys) = (identity("proof: none"), "proof: jwt, issuer: a, audience: [b], jwks_url: ");
        let readiness = Readiness::new();
        readiness.config_loaded();
        readiness.listening();
        let (current, identities) = watch::channel(there.clone());
        let mut following = Box::pin(follow_keys(identities, readiness.clone()));
        for (identity, is_ready) in [
            (there.clone(), true),
            (identity(&format!("{keys}'https://one.example/keys'")), false),
            (identity(&format!("{keys}'https://another.example/keys'")), false),
            (there, true),
        ] {
            current.send_replace(identity);
            assert!((&mut following).now_or_never().is_none());
            assert_eq!(readiness.is_ready(), is_ready);
        }
    }
}
