//! Members that 2026-07-28 requires in results: server info and cache lifetime.

use std::sync::LazyLock;

use rmcp::model::{
    CallToolResponse, CompleteResult, GetPromptResponse, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, ReadResourceResult,
};
use serde_json::Value;

use crate::{era::Dialect, identity, resources::SCOPE};

/// The `_meta` key of the server's name and version, which each modern result SHOULD have (2026-07-28, basic).
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

static SERVER_INFO: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(identity::implementation()).unwrap_or_default());

/// Results that can be adapted to a dialect. Legacy results stay unchanged.
pub(crate) trait Stamp {
    /// `fresh_ms` is how long clients may cache the result, where they may at all (2026-07-28, server/utilities/caching).
    fn stamped(self, dialect: Dialect, fresh_ms: u64) -> Self;
}

fn sign(meta: &mut Option<MetaObject>) {
    meta.get_or_insert_default().insert(SERVER_INFO_KEY.to_owned(), SERVER_INFO.clone());
}

macro_rules! cacheable {
    ($($result:ty),+) => {$(
        impl Stamp for $result {
            fn stamped(mut self, dialect: Dialect, fresh_ms: u64) -> Self {
                if dialect == Dialect::Modern {
                    sign(&mut self.meta);
                    self = self.with_ttl_ms(fresh_ms).with_cache_scope(SCOPE);
                }
                self
            }
        }
    )+};
}

cacheable!(
    ListToolsResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult
);

impl Stamp for CompleteResult {
    fn stamped(mut self, dialect: Dialect, _fresh_ms: u64) -> Self {
        if dialect == Dialect::Modern {
            sign(&mut self.meta);
        }
        self
    }
}

impl Stamp for CallToolResponse {
    fn stamped(mut self, dialect: Dialect, _fresh_ms: u64) -> Self {
        match (dialect, &mut self) {
            (Dialect::Modern, Self::Complete(result)) => sign(&mut result.meta),
            (Dialect::Modern, Self::InputRequired(result)) => sign(&mut result.meta),
            _ => {}
        }
        self
    }
}

impl Stamp for GetPromptResponse {
    fn stamped(mut self, dialect: Dialect, _fresh_ms: u64) -> Self {
        match (dialect, &mut self) {
            (Dialect::Modern, Self::Complete(result)) => sign(&mut result.meta),
            (Dialect::Modern, Self::InputRequired(result)) => sign(&mut result.meta),
            _ => {}
        }
        self
    }
}
