//! Config types of the audit log.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Where it is recorded who did what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditFile {
    /// The file that lines are added to, or `stderr`.
    #[serde(default = "stderr")]
    pub file: PathBuf,
    /// What becomes of calls that there is no room to record. None is made without a record.
    #[serde(default)]
    pub on_overflow: OverflowFile,
    /// For how many calls there is room, in flight or waiting to be written; 65,536 when nothing is said.
    pub calls: Option<NonZeroUsize>,
    /// What arguments are hashed under, so that who has it can tell the same from the same: 16 bytes or more. Without one it is
    /// another with each start.
    pub key: Option<Secret>,
}

fn stderr() -> PathBuf {
    "stderr".into()
}

/// What becomes of calls that there is no room to record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OverflowFile {
    /// They wait for a while, and are refused then.
    #[default]
    Wait,
    /// They are refused.
    Refuse,
}
