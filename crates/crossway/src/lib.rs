#![doc = include_str!("../README.md")]

#[cfg(feature = "dial")]
pub use crossway_dial as dial;
#[cfg(feature = "router")]
pub use crossway_era as era;
#[cfg(any(feature = "http-sse-client", feature = "http-sse-server"))]
pub use crossway_http_sse as http_sse;
#[cfg(feature = "layers")]
pub use crossway_layers as layers;
#[cfg(any(feature = "openapi-face", feature = "openapi-rest", feature = "openapi-webhook"))]
pub use crossway_openapi as openapi;
#[cfg(feature = "policy")]
pub use crossway_policy as policy;
pub use crossway_proto as proto;
#[cfg(any(feature = "rmcp-client", feature = "rmcp-server"))]
pub use crossway_rmcp as rmcp;
#[cfg(feature = "router")]
pub use crossway_router as router;
#[cfg(feature = "router")]
pub use crossway_seal as seal;
pub use crossway_service as service;
#[cfg(feature = "stdio")]
pub use crossway_stdio as stdio;
#[cfg(any(feature = "streamable-http-client", feature = "streamable-http-server"))]
pub use crossway_streamable_http as streamable_http;
