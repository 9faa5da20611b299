//! References to grants, for explanations.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Identifies a grant: its index in the configuration, and its name if it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    index: u32,
    name: Option<Arc<str>>,
    /// Index and name as they are displayed.
    text: Arc<str>,
}

impl RuleRef {
    pub(crate) fn new(index: u32, name: Option<&str>) -> Self {
        let text = match name {
            Some(name) => format!("grants[{index}] ({name})"),
            None => format!("grants[{index}]"),
        };
        Self { index, name: name.map(Into::into), text: text.into() }
    }

    /// The index of the grant, from 0 on.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// The path of the grant in the configuration: `grants[3]`.
    pub(crate) fn path(&self) -> impl fmt::Display {
        Path(self.index as usize)
    }

    /// The name that the operator gave the grant.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The path of a grant in the configuration: `grants[3]`.
#[derive(Clone, Copy)]
pub(crate) struct Path(pub(crate) usize);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grants[{}]", self.0)
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&RuleRef> for Arc<str> {
    /// The displayed text.
    fn from(rule: &RuleRef) -> Self {
        Self::clone(&rule.text)
    }
}

impl Serialize for RuleRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
