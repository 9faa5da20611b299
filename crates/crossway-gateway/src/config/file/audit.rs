//! Config types of the audit log.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Where calls are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditFile {
    /// The file that lines are added to, or `stderr`.
    #[serde(default = "stderr")]
    pub file: PathBuf,
    /// What happens to calls when there is no room to record them. No call is made without a record.
    #[serde(default)]
    pub on_overflow: OverflowFile,
    /// The most calls in flight or waiting to be written; 65,536 by default.
    pub calls: Option<NonZeroUsize>,
    /// The key under which arguments are hashed, 16 bytes or more. With it, equal arguments have equal
    /// hashes. Without one, a new key is made at each start.
    pub key: Option<Secret>,
}

fn stderr() -> PathBuf {
    "stderr".into()
}

/// What happens to calls when there is no room to record them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OverflowFile {
    /// They wait for a while, and are then refused.
    #[default]
    Wait,
    /// They are refused at once.
    Refuse,
}
