//! Serves one upstream to clients of both eras.

use std::sync::Arc;

use crossway_router::{AnyEra, EraSupport, FromLegacy, SharedBy, ToLegacy, ToLegacyOptions};
use crossway_service::Upstream;

use crate::upstream::connect::Connected;
use crate::upstream::redetect::RedetectingUpstream;

/// Serves the server at a URL to clients of both eras. A bridge does not identify its clients, so all stateless clients
/// of a legacy server share its sessions, as far as that is safe.
pub(crate) fn any_era(name: &str, url: RedetectingUpstream) -> AnyEra {
    let upstream = Arc::new(url.clone());
    following(name, upstream, move || url.speaks(), ToLegacyOptions::shared_by(SharedBy::Everyone))
}

/// Serves a connected server to clients of both eras, through `upstream`; `to_legacy` decides who shares its sessions.
pub(crate) fn any_era_of(
    name: &str,
    upstream: Arc<dyn Upstream>,
    connected: &Connected,
    to_legacy: ToLegacyOptions,
) -> AnyEra {
    following(name, upstream, connected.speaks(), to_legacy)
}

fn following(
    name: &str,
    upstream: Arc<dyn Upstream>,
    speaks: impl Fn() -> EraSupport + Send + Sync + 'static,
    to_legacy: ToLegacyOptions,
) -> AnyEra {
    let to_legacy = ToLegacy::new(name, Arc::clone(&upstream), to_legacy);
    let from_legacy = FromLegacy::new(Arc::clone(&upstream));
    AnyEra::following(upstream, speaks, Arc::new(from_legacy), Arc::new(to_legacy))
}
