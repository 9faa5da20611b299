//! Fair shares of a pool, by group of callers and by user.

use std::fmt;
use std::sync::Arc;

use crossway_service::Context;

use crate::ScopeKey;
use crate::guard::group::{GroupOf, part};

/// Determines the group and user of a call, where many share a pool.
#[derive(Clone, Default)]
pub(super) struct Sharers {
    group_of: Option<GroupOf>,
    user_of: Option<GroupOf>,
}

/// The group and user of a call.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Sharer {
    group: Option<ScopeKey>,
    user: Option<ScopeKey>,
}

impl Sharers {
    pub(super) fn new(
        group_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static,
        user_of: impl Fn(&Context) -> Option<ScopeKey> + Send + Sync + 'static,
    ) -> Self {
        Self { group_of: Some(Arc::new(group_of)), user_of: Some(Arc::new(user_of)) }
    }

    pub(super) fn of(&self, context: &Context) -> Sharer {
        let of = |of: &Option<GroupOf>| of.as_ref().and_then(|of| of(context));
        Sharer { group: of(&self.group_of), user: of(&self.user_of) }
    }
}

impl Sharer {
    /// Whether one more of this sharer's fits under a bound for all, given the others' holders. A group gets its part of the bound, and a
    /// user that same part of the group's.
    pub(super) fn has_room<'a>(&self, most: usize, others: impl Iterator<Item = &'a Self> + Clone) -> bool {
        let has_room = |key: &Option<ScopeKey>, most, key_of: fn(&Self) -> &Option<ScopeKey>| {
            key.is_none() || others.clone().filter(|other| key_of(other) == key).count() < most
        };
        let of_group = if self.group.is_some() { part(most) } else { most };
        has_room(&self.group, of_group, |it| &it.group) && has_room(&self.user, part(of_group), |it| &it.user)
    }
}

impl fmt::Debug for Sharers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharers").field("groups", &self.group_of.is_some()).finish_non_exhaustive()
    }
}
