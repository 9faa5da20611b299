//! The server's name, version and capabilities.

use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};

use crate::era::Era;

/// The server's name and version, for `initialize`, `server/discover`, and the `_meta` of modern results.
pub(crate) fn implementation() -> Implementation {
    Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .with_title("Crossway demo")
        .with_description(env!("CARGO_PKG_DESCRIPTION"))
}

/// The server's capabilities, which are the same in all revisions.
pub(crate) fn config(era: Era) -> ServerConfig {
    let capabilities = ServerCapabilities::builder()
        .enable_completions()
        .enable_logging()
        .enable_prompts()
        .enable_prompts_list_changed()
        .enable_resources()
        .enable_resources_subscribe()
        .enable_resources_list_changed()
        .enable_tools()
        .enable_tool_list_changed()
        .build();
    ServerConfig::new(capabilities)
        .with_server_info(implementation())
        .with_protocol_version(era.preferred())
        .with_instructions(
            "A server for trying clients and bridges. Pleasant by hand: echo, slow and ask. The tools, prompts and resources \
             named test are what the official conformance suite asks for.",
        )
}
