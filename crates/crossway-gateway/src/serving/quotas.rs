//! Quotas of the policy, as the limit layer asks for them.

use crossway_layers::limit::{Quota, QuotaList, Quotas};
use crossway_policy::{Kind, Permit};
use crossway_service::Call;

use super::ruling::Now;

/// What a call that has a permit counts against.
pub(super) struct PolicyQuotas(pub(super) Now);

impl Quotas for PolicyQuotas {
    fn quotas(&self, call: &Call) -> QuotaList {
        let Some(permit) = call.context.extensions.get::<Permit>() else { return QuotaList::new() };
        let tool = (permit.kind() == Kind::Tool).then(|| permit.name());
        let ruling = self.0.get();
        let caller = permit.principal();
        let all = ruling.standings.policy().quotas(caller, permit.tenant(), permit.upstream(), tool);
        Quota::all_of_policy(&all, caller)
    }
}
