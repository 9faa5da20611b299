//! One upstream for clients of both eras.

use std::sync::Arc;

use crossway_router::{AnyEra, Back, BackOptions, Front, Share, Speaks};
use crossway_service::Upstream;

/// Serves clients of both eras on an upstream. Nobody is known to a bridge, so all stateless clients of a legacy server share
/// its sessions, as far as that is safe.
pub(crate) fn any_era(name: &str, upstream: Arc<dyn Upstream>, speaks: Speaks) -> AnyEra {
    let back = Back::new(name, Arc::clone(&upstream), BackOptions::shared_by(Share::Shared));
    let front = Front::new(Arc::clone(&upstream));
    AnyEra::new(upstream, speaks, Arc::new(front), Arc::new(back))
}
