//! Runs `crossway serve`: starts what it needs, takes up changed configs, and ends in order.

use std::convert::Infallible;

use crossway_layers::audit::AuditLog;
use futures_util::FutureExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::current_policy::{CurrentPolicy, PolicySnapshot};
use super::manager::Manager;
use super::operating::{Source, Telling, follow_keys, load_tls, operate, record, recorded_all};
use super::{Edge, Gateway, Prepared, warn};
use crate::RunError;
use crate::config::{ConfigErrors, Fixed, Loaded, Reloads, Severity};
use crate::identity::Identity;
use crate::listener::BoundListener;
use crate::metrics::{Metrics, Reload};
use crate::operations::Readiness;
use crate::run::{Ending, run};
use crate::tls::{MaybeTls, Tls};
use crate::upstream::connect::by_plan_unquoted;

/// Serves until asked to end.
pub(super) async fn serve(prepared: Prepared) -> Result<(), RunError> {
    let Started { bound, tls, mut gateway, mut reloading, identities, readiness, beside } =
        Started::new(prepared).await?;
    let names: Vec<String> = gateway.served.iter().map(|served| served.spec.name.clone()).collect();
    let faces = gateway.faces.clone();
    let edge = Edge::new(gateway.current.clone(), gateway.metrics.clone(), faces.clone());
    let alive = reloading.manager.clone().keep_alive();
    let keys = follow_keys(identities, readiness.clone());
    // Reloads end first: one during a drain would start upstreams that the drain does not know of.
    let (drains, drain) = oneshot::channel::<()>();
    let ending = {
        let manager = reloading.manager.clone();
        let (log, mut drains) = (beside.log.clone(), Some(drains));
        move |ending| match ending {
            Ending::Asked => {
                readiness.stopping();
                manager.stopping();
                drains.take();
            }
            Ending::CutsOff => {
                log.as_ref().inspect(|log| log.cut_off());
            }
        }
    };
    let watching = async {
        tokio::select! {
            biased;
            _ = drain => std::future::pending().await,
            () = reloading.run(&mut gateway) => {}
        }
    };
    let beside_serving = async {
        tokio::join!(watching, alive, keys);
        std::future::pending::<Infallible>().await
    };
    let served = tokio::select! {
        served = run(bound, faces, edge, MaybeTls::of(tls), ending, "crossway", &names) => served?,
        never = beside_serving => match never {},
    };
    served.close(gateway.close()).await;
    beside.end().await;
    Ok(())
}

/// Everything that is started before the first request is accepted.
struct Started {
    bound: BoundListener,
    tls: Option<Tls>,
    gateway: Gateway,
    reloading: Reloading,
    /// The identity settings of each config that is applied.
    identities: watch::Receiver<Identity>,
    readiness: Readiness,
    beside: Beside,
}

impl Started {
    async fn new(prepared: Prepared) -> Result<Self, RunError> {
        let Prepared { file, mut loaded, manager, sockets, telemetry } = prepared;
        let reloads = Reloads::new(&file, &loaded).map_err(RunError::Signals)?;
        let bound = BoundListener::listening(&loaded, sockets.clients).await?;
        let maker = bound.maker(false);
        let (fixed, says) = (loaded.fixed, loaded.says);
        let upstreams = std::mem::take(&mut loaded.upstreams);
        let (keyring, hash) = (loaded.keyring.clone(), std::mem::take(&mut loaded.hash));
        let (operations, tls) = (loaded.operations.take(), loaded.listening.tls.take());
        let metrics = telemetry.metrics;
        let readiness = Readiness::new();
        let audit = loaded.audit.as_ref().map(record).transpose()?;
        loaded.identity.start(&metrics, &loaded.proxies);
        let (identity, identities) = watch::channel(loaded.identity.clone());
        let current = CurrentPolicy::new(PolicySnapshot::of(loaded, &upstreams, None, &metrics));
        readiness.config_loaded();
        // Only keys that have to be fetched from a URL are waited for.
        readiness.keys_loaded(current.get().identity.keys_there().now_or_never().is_some());
        let (layer, log) = audit.map_or((None, None), |(layer, log)| (Some(layer), Some(log)));
        let mut gateway = Gateway::new(
            current,
            maker,
            keyring,
            metrics.clone(),
            layer,
            telemetry.is_traced,
            by_plan_unquoted(),
        )?;
        gateway.apply(upstreams);
        let source = Source {
            current: gateway.current.clone(),
            faces: gateway.faces.clone(),
            upstreams: gateway.monitored.clone(),
            audit: log.clone(),
        };
        let telling =
            telemetry.exporter.map(|exporter| Telling::new(exporter, source.clone(), metrics.clone()));
        let operating = match operations {
            Some(operations) => Some(
                operate(operations, source, readiness.clone(), metrics.clone(), sockets.operations).await?,
            ),
            None => None,
        };
        let tls = tls.map(|tls| load_tls("clients", tls, &metrics)).transpose()?;
        readiness.listening();
        metrics.config_in_force(&hash);
        manager.ready(gateway.served.len());
        let reloading = Reloading { reloads, fixed, says, identity, manager, metrics };
        let beside = Beside { log, telling, operating };
        Ok(Self { bound, tls, gateway, reloading, identities, readiness, beside })
    }
}

/// Applies the config each time it changes.
struct Reloading {
    reloads: Reloads,
    /// The settings that only a restart changes.
    fixed: Fixed,
    /// A fingerprint of what the config in force says.
    says: u64,
    identity: watch::Sender<Identity>,
    manager: Manager,
    metrics: Metrics,
}

impl Reloading {
    /// Runs until it is dropped.
    async fn run(&mut self, gateway: &mut Gateway) {
        loop {
            let read = self.reloads.next().await;
            self.manager.reloading();
            let reload = self.take_up(read, gateway);
            self.metrics.config_reloaded(reload);
            self.manager.ready(gateway.served.len());
        }
    }

    fn take_up(&mut self, read: Result<Loaded, ConfigErrors>, gateway: &mut Gateway) -> Reload {
        let mut loaded = match read {
            Ok(loaded) => loaded,
            Err(errors) => {
                for finding in errors.0 {
                    match finding.severity {
                        Severity::Warning => tracing::warn!("{finding}"),
                        Severity::Error => {
                            tracing::error!(
                                "the changed config can't be used, and changes nothing: {finding}"
                            );
                        }
                    }
                }
                return Reload::Failed;
            }
        };
        let hash = std::mem::take(&mut loaded.hash);
        if loaded.says == self.says {
            tracing::info!("the config was read again, and says what it said");
            self.metrics.config_in_force(&hash);
            return Reload::Unchanged;
        }
        self.says = loaded.says;
        warn(&loaded);
        let held_back = self.fixed.changed_in(&loaded.fixed);
        self.metrics.config_pending(!held_back.is_empty());
        gateway.reload(loaded);
        if !held_back.is_empty() {
            tracing::warn!(
                keys = held_back.join(", "),
                "these keys have changed and hold from the next start on"
            );
        }
        self.identity.send_replace(gateway.current.get().identity.clone());
        self.metrics.config_in_force(&hash);
        Reload::Ok
    }
}

/// The background tasks of the gateway.
struct Beside {
    log: Option<AuditLog>,
    telling: Option<Telling>,
    operating: Option<JoinHandle<()>>,
}

impl Beside {
    /// No call may be in flight any more.
    async fn end(self) {
        // Before the last metrics are sent, because they count the records.
        if let Some(log) = self.log {
            recorded_all(&log).await;
        }
        if let Some(telling) = self.telling {
            telling.end().await;
        }
        if let Some(operating) = self.operating {
            operating.abort();
        }
    }
}
