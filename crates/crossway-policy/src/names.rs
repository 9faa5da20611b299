//! Tenant names.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A tenant's name: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or a digit. Clones are cheap.
///
/// The name is used unchanged in metrics, logs and file paths. `anonymous` is the tenant of anonymous callers, and can't be configured.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(Arc<str>);

/// The text is not a valid tenant name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a tenant: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit")]
pub struct InvalidTenantName(String);

impl TenantName {
    /// Makes a tenant name of a valid text.
    ///
    /// # Errors
    ///
    /// When the text is empty, too long, or has other characters.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidTenantName> {
        let name = name.into();
        let fits = (1..=limits::TENANT_BYTES).contains(&name.len())
            && name.as_bytes()[0].is_ascii_alphanumeric()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if fits { Ok(Self(name.into())) } else { Err(InvalidTenantName(name)) }
    }

    /// The tenant of anonymous callers.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the tenant of anonymous callers.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.as_str() == "anonymous"
    }
}

impl TryFrom<String> for TenantName {
    type Error = InvalidTenantName;

    fn try_from(name: String) -> Result<Self, InvalidTenantName> {
        Self::new(name)
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for TenantName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TenantName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit.",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        })
    }
}

impl Borrow<str> for TenantName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for TenantName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_name_is_safe_in_paths_and_labels() {
        for good in ["acme", "a", "A.b_c-9"] {
            assert_eq!(TenantName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "-a", "a/b", "a b", "ä", "a\0", "a\n", &"a".repeat(65)] {
            assert!(TenantName::new(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<TenantName>(bad.into()).is_err());
        }
    }
}
