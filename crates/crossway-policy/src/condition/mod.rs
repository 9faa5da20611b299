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
    #[error("can't be used: this program is built without conditions")]
    NotBuilt,
    /// It is longer than a condition may be.
    #[error("has more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// It is no expression.
    #[error("is no expression: {0}")]
    NoExpression(String),
    /// The parser failed, or the system has no thread for it.
    #[error("can't be read: the parser failed, or the system has no thread for it")]
    NoParser,
    /// It has more brackets than a condition may have.
    #[error("has more than {limit} of ( [ {{ ?")]
    TooManyBrackets {
        /// The bound.
        limit: usize,
    },
    /// It has more parts than a condition may have.
    #[error("has more than {limit} parts")]
    TooManyParts {
        /// The bound.
        limit: usize,
    },
    /// Its parts are within each other more deeply than a condition's may be.
    #[error("goes more than {limit} parts deep")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// It goes through a list for each element of a list.
    #[error("goes through a list within going through a list")]
    NestedLoop,
    /// It uses something that is not there.
    #[error("uses `{0}`; there are `args`, `user` and `tenant`")]
    NoVariable(String),
    /// It calls something that is not there.
    #[error("uses `{0}`, which conditions do not have")]
    NoFunction(String),
    /// It makes texts or lists that grow with each element of a list, or makes the list that it goes through.
    #[error("uses `+` while going through a list, or to make one to go through")]
    GrowingLoop,
    /// It has more sums than a condition may have.
    #[error("has more than {limit} `+`")]
    TooManySums {
        /// The bound.
        limit: usize,
    },
}

/// What the parts of a condition that are about the caller alone say, once they were asked.
pub(crate) type OfCaller = OnceLock<Result<bool, ConditionError>>;

/// Why a condition gives no answer. No value of the arguments is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConditionError {
    /// The arguments have more bytes than conditions look at.
    #[error("the arguments are too long")]
    ArgumentsTooLong,
    /// The arguments are no JSON object, nested too deeply, or have a number that no double can hold.
    #[error("the arguments are no JSON object, nested too deeply, or have a number that is too large")]
    NotAnObject,
    /// An object has a name twice, capital letters aside: which of them the upstream takes is not known.
    #[error("the arguments have a name twice")]
    NameTwice,
    /// A name that the condition looks at is there with other capital letters: some upstreams take it all the same.
    #[error("the arguments have a name with other capital letters than the condition")]
    OtherSpelling,
    /// A number is too large to be compared exactly.
    #[error("the arguments have a number that can't be compared exactly")]
    InexactNumber,
    /// The condition would be too much work with such arguments, on top of what those before it were.
    #[error("the condition would be too much work with such arguments, or after those before it")]
    TooMuchWork,
    /// Something is not there.
    #[error("the condition asks for something that is not there")]
    NotThere,
    /// Something has another type than is asked for.
    #[error("the condition compares or calls what it can't")]
    WrongType,
    /// The answer is neither true nor false.
    #[error("the condition is neither true nor false")]
    NotABool,
}

#[cfg(not(feature = "cel"))]
mod without {
    use super::{BadCondition, ConditionError, OfCaller};
    use crate::{Principal, TenantName};

    /// There are none.
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
