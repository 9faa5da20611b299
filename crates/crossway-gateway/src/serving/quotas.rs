//! Quotas of the policy, as the limit layer asks for them.

use std::num::NonZeroU32;

use crossway_layers::limit::{AtOnce, Quota, QuotaKey, QuotaList, Quotas, Rate};
use crossway_policy::{Kind, Permit, config};
use crossway_service::Call;

use super::ruling::Now;
use super::standing::joined;

/// What a call that has a permit counts against.
pub(super) struct PolicyQuotas(pub(super) Now);

impl Quotas for PolicyQuotas {
    fn quotas(&self, call: &Call) -> QuotaList {
        let Some(permit) = call.context.extensions.get::<Permit>() else { return QuotaList::new() };
        let tool = (permit.kind() == Kind::Tool).then(|| permit.name());
        let ruling = self.0.get();
        let policy = ruling.standings.policy();
        let all = policy.quotas(permit.principal(), permit.tenant(), permit.upstream(), tool);
        let user = permit.principal();
        let user = QuotaKey::new(joined(&[user.issuer(), user.subject()]));
        // The policy has the tenant's before the user's.
        all.iter().rev().map(|quota| of(quota, &user)).collect()
    }
}

fn of(quota: &crossway_policy::Quota, user: &QuotaKey) -> Quota {
    let key = &quota.key;
    let (issuer, subject) = key.user.as_ref().map_or(("", ""), |user| (user.issuer(), user.subject()));
    let text = joined(&[
        key.tenant.as_str(),
        if key.user.is_some() { "user" } else { "tenant" },
        issuer,
        subject,
        key.upstream.as_deref().unwrap_or_default(),
        key.tool.as_deref().unwrap_or_default(),
        &quota.limits.to_string(),
    ]);
    let mut limited = Quota::new(QuotaKey::new(text));
    if let Some(rate) = quota.limits.calls.and_then(rate) {
        limited = limited.calls(rate);
    }
    if let Some(rate) = quota.limits.bytes.and_then(rate) {
        limited = limited.bytes(rate);
    }
    if let Some(most) = quota.limits.in_flight.and_then(NonZeroU32::new) {
        let of = key.user.is_none().then(|| user.clone());
        limited = limited.at_once(AtOnce { most, of });
    }
    limited
}

fn rate(rate: config::Rate) -> Option<Rate> {
    let amount = NonZeroU32::new(u32::try_from(rate.count()).unwrap_or(u32::MAX))?;
    Some(Rate { amount, period: rate.period() })
}
