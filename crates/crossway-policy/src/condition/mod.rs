//! Conditions of grants: expressions in CEL over `args`, `user` and `tenant`.

#[cfg(feature = "cel")]
mod arguments;
#[cfg(feature = "cel")]
mod cost;
#[cfg(feature = "cel")]
mod program;
#[cfg(feature = "cel")]
mod shape;

#[cfg(feature = "cel")]
pub(crate) use arguments::Arguments;
#[cfg(feature = "cel")]
pub(crate) use program::{Condition, Facts, Work};
#[cfg(not(feature = "cel"))]
pub(crate) use without::{Arguments, Condition, Facts, Work};

use std::sync::OnceLock;

use serde::Serialize;

/// A condition that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCondition {
    /// The program is built without the feature `cel`.
    #[error("can't be used: this program is built without the feature `cel` of crossway-policy")]
    NotBuilt,
    /// The condition is longer than a condition may be.
    #[error("has more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// The text is not an expression.
    #[error("is no expression: {0}")]
    NoExpression(String),
    /// The parser failed, or the system has no thread for it.
    #[error("can't be read: the parser failed, or the system has no thread for it")]
    NoParser,
    /// The condition has more brackets than a condition may have.
    #[error("has more than {limit} of ( [ {{ ?")]
    TooManyBrackets {
        /// The bound.
        limit: usize,
    },
    /// The condition has more parts than a condition may have.
    #[error("has more than {limit} parts")]
    TooManyParts {
        /// The bound.
        limit: usize,
    },
    /// The condition's parts are nested more deeply than a condition's may be.
    #[error("goes more than {limit} parts deep")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// The condition has a loop within a loop.
    #[error("goes through a list within going through a list")]
    NestedLoop,
    /// The condition uses an unknown variable.
    #[error("uses `{0}`; there are `args`, `user` and `tenant`")]
    NoVariable(String),
    /// The condition asks for a member that `user` never has.
    #[error("asks for `user.{name}`{}", instead(.like.as_deref()))]
    NoMember {
        /// The member.
        name: String,
        /// A similar member that there is.
        like: Option<String>,
    },
    /// The condition asks for a member of `tenant`, which is a text.
    #[error("asks for a part of `tenant`, which is the tenant's name alone")]
    PartOfTenant,
    /// The condition calls an unknown function.
    #[error("uses `{0}`, which conditions do not have")]
    NoFunction(String),
    /// The condition builds a text or list with `+` in a loop, or builds the list of a loop.
    #[error("uses `+` while going through a list, or to make one to go through")]
    GrowingLoop,
    /// The condition has more sums than a condition may have.
    #[error("has more than {limit} `+`")]
    TooManySums {
        /// The bound.
        limit: usize,
    },
}

/// The members of `user`. The last two are there only if they are known.
pub(crate) const MEMBERS: [&str; 7] = ["issuer", "subject", "groups", "roles", "claims", "email", "name"];

fn instead(like: Option<&str>) -> String {
    match like {
        Some(like) => format!("; is `user.{like}` meant?"),
        None => {
            let [others @ .., last] = MEMBERS.map(|name| format!("`{name}`"));
            format!("; there are {} and {last}", others.join(", "))
        }
    }
}

/// The cached result of a condition's caller-only parts.
pub(crate) type OfCaller = OnceLock<Result<bool, ConditionError>>;

/// Why a condition gives no answer. It contains no value of the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConditionError {
    /// The arguments have more bytes than conditions look at.
    #[error("the arguments are too long")]
    ArgumentsTooLong,
    /// The arguments are not a JSON object, are nested too deeply, or have a number that no double can hold.
    #[error("the arguments are no JSON object, nested too deeply, or have a number that is too large")]
    NotAnObject,
    /// An object has a name twice, ignoring case: which of them the upstream takes is unknown.
    #[error("the arguments have a name twice")]
    NameTwice,
    /// The arguments spell a name in another case than the condition does: some upstreams accept that.
    #[error("the arguments have a name with other capital letters than the condition")]
    OtherSpelling,
    /// A number is too large to be compared exactly.
    #[error("the arguments have a number that can't be compared exactly")]
    InexactNumber,
    /// The condition would be too much work with these arguments, on top of the conditions before it.
    #[error("the condition would be too much work with such arguments, or after those before it")]
    TooMuchWork,
    /// A value is missing.
    #[error("the condition asks for something that is not there")]
    NotThere,
    /// A value has the wrong type.
    #[error("the condition compares or calls what it can't")]
    WrongType,
    /// The result is neither true nor false.
    #[error("the condition is neither true nor false")]
    NotABool,
}

#[cfg(not(feature = "cel"))]
mod without {
    use super::{BadCondition, ConditionError, OfCaller};
    use crate::{Principal, TenantName};

    /// No condition can exist without the feature.
    #[derive(Debug)]
    pub(crate) enum Condition {}

    pub(crate) struct Facts;

    pub(crate) struct Work;

    pub(crate) struct Arguments;

    impl Condition {
        pub(crate) fn compile(_: &str) -> Result<Self, BadCondition> {
            Err(BadCondition::NotBuilt)
        }

        pub(crate) fn needs_arguments(&self) -> bool {
            match *self {}
        }

        pub(crate) fn holds(
            &self,
            _: &Facts,
            _: Option<&Arguments>,
            _: &mut Work,
        ) -> Result<bool, ConditionError> {
            match *self {}
        }

        pub(crate) fn has_parts_of_caller(&self) -> bool {
            match *self {}
        }

        pub(crate) fn holds_as(
            &self,
            _: &OfCaller,
            _: &Facts,
            _: &Arguments,
            _: &mut Work,
        ) -> Result<bool, ConditionError> {
            match *self {}
        }
    }

    impl Work {
        pub(crate) fn of_call() -> Self {
            Self
        }

        pub(crate) fn of_rights() -> Self {
            Self
        }
    }

    impl Facts {
        pub(crate) fn new(_: &Principal, _: &TenantName) -> Self {
            Self
        }
    }

    impl Arguments {
        pub(crate) fn parse(_: Option<&str>) -> Result<Self, ConditionError> {
            Ok(Self)
        }
    }
}
