//! Replaces references in schemas, for clients that don't resolve any.
//!
//! In a document of many tools, a schema's own `#/$defs/..` would point elsewhere. Each reference is replaced by its target. Schemas that
//! refer to themselves become components of the document, and so do all targets when a schema would grow beyond its bounds. References
//! to other documents are never followed: a schema that accepts everything takes their place.
//!
//! The result accepts the same values as the original. OpenAPI 3.1 uses JSON Schema 2020-12; keywords of drafts 4 to 7 are rewritten as
//! their successors.

mod keywords;
mod members;
mod places;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use members::named;
pub(crate) use resolve::{Components, resolve};
