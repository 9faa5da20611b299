//! Config types of the OpenAPI face.

use crossway_policy::{Principal, Proof};
use schemars::JsonSchema;
use serde::Deserialize;

/// Tools as OpenAPI, beside MCP and on the same listener: `/openapi.json` and `/{upstream}/openapi.json`,
/// `POST /{upstream}/{tool}`, and a page at `/docs`. Identity and grants work as for MCP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsAsOpenApiFile {
    /// The caller whose document is served to requests without a proof of identity, as Open WebUI sends them.
    /// It shows what is granted to that caller to everybody who can reach the gateway (and who has the
    /// connection key, where the proof has one). Without it, such requests get no document. It opens only
    /// documents, and no calls.
    pub document_for: Option<DocumentForFile>,
}

/// A caller, as a proof would describe them. The caller need not exist: `subject: openapi` and a group are
/// enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentForFile {
    /// The issuer of the identity.
    pub issuer: String,
    /// The subject, as the issuer names it; by default, the e-mail address.
    pub subject: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
}

impl DocumentForFile {
    /// The caller who is described.
    #[must_use]
    pub fn to_principal(&self) -> Principal {
        let subjects = [Some(&self.subject), self.email.as_ref()].into_iter().flatten();
        let subject = subjects.map(String::as_str).find(|name| !name.is_empty()).unwrap_or("openapi");
        let principal = Principal::new(&self.issuer, subject, Proof::Jwt)
            .with_groups(self.groups.clone())
            .with_roles(self.roles.clone());
        match &self.email {
            Some(email) => principal.with_email(email),
            None => principal,
        }
    }
}
