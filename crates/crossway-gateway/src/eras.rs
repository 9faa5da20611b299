//! Serves one upstream to clients of both eras.

use std::sync::Arc;

use crossway_router::{AnyEra, Back, BackOptions, Front, Speaks};
use crossway_service::Upstream;

use crate::anew::Anew;
use crate::connect::Connected;

/// Serves clients of both eras on a URL. Nobody is known to a bridge, so all stateless clients of a legacy server share
/// its sessions, as far as that is safe.
pub(crate) fn any_era(name: &str, url: Anew) -> AnyEra {
    let upstream = Arc::new(url.clone());
    following(name, upstream, move || url.speaks(), BackOptions::default())
}

/// The same of a server that has been reached, through `upstream`, which leads to it; `back` says who shares its sessions.
pub(crate) fn any_era_of(
    name: &str,
    upstream: Arc<dyn Upstream>,
    connected: &Connected,
    back: BackOptions,
) -> AnyEra {
    following(name, upstream, connected.speaks(), back)
}

fn following(
    name: &str,
    upstream: Arc<dyn Upstream>,
    speaks: impl Fn() -> Speaks + Send + Sync + 'static,
    back: BackOptions,
) -> AnyEra {
    let back = Back::new(name, Arc::clone(&upstream), back);
    let front = Front::new(Arc::clone(&upstream));
    AnyEra::following(upstream, speaks, Arc::new(front), Arc::new(back))
}
