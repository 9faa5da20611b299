//! Non-interference between tenants, over random configs and traces.

use proptest::prelude::*;

use super::setup::setups;
use super::trace::{play, traces};

/// How many cases: 48; `CROSSWAY_CASES` says how many else.
pub(super) fn cases() -> u32 {
    std::env::var("CROSSWAY_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 600, ..ProptestConfig::default() })]

    /// One tenant's clients do the same twice: beside another tenant that has rights, servers, credentials, quotas and clients, and
    /// whose servers fail and configs change; and where there is no such tenant at all.
    #[test]
    fn nothing_that_another_tenant_has_holds_or_does_changes_a_byte(setup in setups(), trace in traces()) {
        let (beside, alone) = (play(&setup, &trace, true), play(&setup, &trace, false));
        prop_assert_eq!(beside, alone);
    }
}
