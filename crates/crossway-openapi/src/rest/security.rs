//! Security schemes, and what they require of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::document::{Document, resolve};
use super::limits;

/// Where a security scheme expects a credential (OpenAPI 3.1.1, Security Scheme Object). Arguments can't fill these places.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SecurityPlace {
    /// A header, with its name in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl SecurityPlace {
    fn folded(&self) -> Self {
        match self {
            Self::Header(name) => Self::Header(name.to_ascii_lowercase()),
            Self::Query(name) => Self::Query(name.to_ascii_lowercase()),
            Self::Cookie(name) => Self::Cookie(name.to_ascii_lowercase()),
        }
    }
}

/// Operations that want credentials that nothing fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfilled {
    /// The places that nothing fills, for each alternative.
    pub wanted: Vec<Vec<SecurityPlace>>,
    /// The number of operations that want these.
    pub operations: usize,
    /// The tool of the first of these operations.
    pub first: String,
}

/// The security schemes of a document.
pub(super) struct Schemes {
    by_name: BTreeMap<String, SecurityPlace>,
    /// With names in lower case: to many servers `Token` is `token`, in queries and cookies too.
    places: BTreeSet<SecurityPlace>,
}

/// What an operation wants: all places of any one alternative. Nothing, if there is no alternative.
pub(super) type Alternatives = Vec<Vec<SecurityPlace>>;

impl Schemes {
    /// The schemes of a document that want something in requests. `mutualTLS` is about connections.
    pub(super) fn of(document: &Document) -> Self {
        let schemes = document.root().pointer("/components/securitySchemes").and_then(Value::as_object);
        let places = schemes.into_iter().flatten().filter_map(|(name, scheme)| {
            let scheme = resolve(document.root(), scheme).ok()?;
            Some((name.clone(), place(scheme)?))
        });
        let by_name: BTreeMap<_, _> = places.collect();
        Self { places: by_name.values().map(SecurityPlace::folded).collect(), by_name }
    }

    /// Adds places that are filled though no scheme names them.
    pub(super) fn with(mut self, filled: &BTreeSet<SecurityPlace>) -> Self {
        self.places.extend(filled.iter().map(SecurityPlace::folded));
        self
    }

    /// Whether arguments can't fill a place.
    pub(super) fn has(&self, place: &SecurityPlace) -> bool {
        self.places.contains(&place.folded())
    }

    /// An operation's security requirements: its own, or else the document's ("To remove a top-level security declaration, an empty
    /// array can be used"; OpenAPI 3.1.1, Operation Object).
    pub(super) fn wanted(&self, document: &Document, operation: &Value) -> Alternatives {
        let said = operation.get("security").or_else(|| document.root().get("security"));
        let said = said.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        said.take(limits::SECURITY).map(|all| self.places(all)).collect()
    }

    fn places(&self, requirement: &Map<String, Value>) -> Vec<SecurityPlace> {
        requirement
            .keys()
            .take(limits::SECURITY)
            .filter_map(|scheme| self.by_name.get(scheme).cloned())
            .collect()
    }
}

fn place(scheme: &Value) -> Option<SecurityPlace> {
    let text = |member| scheme.get(member).and_then(Value::as_str);
    match (text("type")?, text("in")) {
        ("apiKey", Some("header")) => Some(SecurityPlace::Header(text("name")?.to_ascii_lowercase())),
        ("apiKey", Some("query")) => Some(SecurityPlace::Query(text("name")?.to_owned())),
        ("apiKey", Some("cookie")) => Some(SecurityPlace::Cookie(text("name")?.to_owned())),
        ("http" | "oauth2" | "openIdConnect", _) => Some(SecurityPlace::Header("authorization".to_owned())),
        _ => None,
    }
}

/// The places that nothing fills, grouped by operations that want the same.
pub(super) fn unfilled<'a>(
    operations: impl Iterator<Item = (&'a str, &'a Alternatives)>,
    is_filled: impl Fn(&SecurityPlace) -> bool,
) -> Vec<Unfilled> {
    let mut found: Vec<Unfilled> = Vec::new();
    for (tool, alternatives) in operations {
        let missing = alternatives.iter().map(|all| {
            let all = all.iter().filter(|place| !is_filled(place));
            all.cloned().collect::<Vec<_>>()
        });
        let mut wanted: Alternatives = missing.collect();
        if wanted.is_empty() || wanted.iter().any(Vec::is_empty) {
            continue;
        }
        wanted.sort();
        wanted.dedup();
        match found.iter_mut().find(|other| other.wanted == wanted) {
            Some(other) => other.operations += 1,
            None => found.push(Unfilled { wanted, operations: 1, first: tool.to_owned() }),
        }
    }
    found
}

impl fmt::Display for SecurityPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from documents, and may be anything.
        match self {
            Self::Header(name) => write!(f, "the header {:?}", short(name)),
            Self::Query(name) => write!(f, "the member {:?} of the query", short(name)),
            Self::Cookie(name) => write!(f, "the cookie {:?}", short(name)),
        }
    }
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |all: &Vec<SecurityPlace>| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            all.join(" and ")
        };
        let wanted: Vec<String> = self.wanted.iter().map(all).collect();
        let (wanted, first) = (wanted.join(", or "), &self.first);
        match self.operations {
            1 => write!(f, "{first} wants {wanted}, which no credential fills"),
            many => write!(f, "{first} and {} more want {wanted}, which no credential fills", many - 1),
        }
    }
}

fn short(name: &str) -> String {
    name.chars().take(limits::QUOTED_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_credential_fills_is_told_once_for_all_that_want_it() {
        let document = json!({
            "openapi": "3.1.0",
            "security": [{ "key": [], "token": [] }, { "oauth": ["read"] }],
            "paths": {
                "/a": { "get": { "operationId": "a" }, "put": { "operationId": "b" } },
                "/free": { "get": { "operationId": "free", "security": [] } },
                "/either": { "get": { "operationId": "either", "security": [{}, { "sid": [] }] } },
                "/sid": { "get": { "operationId": "sid", "security": [{ "sid": [] }] } },
                "/tls": { "get": { "operationId": "tls", "security": [{ "tls": [] }, { "none": [] }] } },
            },
            "components": { "securitySchemes": {
                "key": { "type": "apiKey", "in": "query", "name": "key" },
                "token": { "type": "apiKey", "in": "header", "name": "X-Token" },
                "oauth": { "type": "oauth2", "flows": {} },
                "sid": { "$ref": "#/components/securitySchemes/session" },
                "session": { "type": "apiKey", "in": "cookie", "name": "sid" },
                "tls": { "type": "mutualTLS" },
            } },
        });
        let document = Document::parse(document.to_string().as_bytes()).unwrap();
        let schemes = Schemes::of(&document);
        let operations: Vec<(&str, Alternatives)> = [
            ("a", "/paths/~1a/get"),
            ("b", "/paths/~1a/put"),
            ("free", "/paths/~1free/get"),
            ("either", "/paths/~1either/get"),
            ("sid", "/paths/~1sid/get"),
            ("tls", "/paths/~1tls/get"),
        ]
        .map(|(tool, at)| (tool, schemes.wanted(&document, document.root().pointer(at).unwrap())))
        .into();
        let told = |filled: &[&str]| -> Vec<String> {
            let operations = operations.iter().map(|(tool, wanted)| (*tool, wanted));
            let found =
                unfilled(operations, |place| filled.iter().any(|name| format!("{place}").contains(name)));
            found.iter().map(ToString::to_string).collect()
        };
        let sid = "sid wants the cookie \"sid\", which no credential fills";
        let both = "a and 1 more want the header \"authorization\", or the member \"key\" of the query and the header \"x-token\", \
                    which no credential fills";
        assert_eq!(told(&[]), [both, sid]);
        let half = "a and 1 more want the header \"authorization\", or the header \"x-token\", which no credential fills";
        assert_eq!(told(&["key", "sid"]), [half]);
        assert_eq!(told(&["key", "x-token"]), [sid]);
        assert_eq!(told(&["authorization", "sid"]), Vec::<String>::new());
    }
}
