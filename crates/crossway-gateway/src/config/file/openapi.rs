//! Config types of the OpenAPI face.

use crossway_policy::{Principal, Proof};
use schemars::JsonSchema;
use serde::Deserialize;

/// Tools as OpenAPI, beside MCP and on the same listener: `/openapi.json` and `/{upstream}/openapi.json`, `POST /{upstream}/{tool}`, and a
/// page at `/docs`. Who calls is found out, and what is granted decided, as for MCP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsAsOpenApiFile {
    /// Whose document it is that is fetched without a proof of who calls, as Open WebUI does: it shows what is granted to them, to
    /// everybody who may reach the gateway (and has the connection key, where the proof has one). Without it, nobody gets a document who
    /// does not prove who they are. It opens documents alone, and no call.
    pub document_for: Option<DocumentForFile>,
}

/// Somebody, as a proof would describe them. There need be no such person: `subject: openapi` and a group will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentForFile {
    /// Who says so.
    pub issuer: String,
    /// Who it is, in the issuer's words; the e-mail address when nothing is said.
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
