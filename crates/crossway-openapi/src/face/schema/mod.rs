//! Schemas with references replaced, for clients that resolve none.
//!
//! A tool's schema stands in a document of many, so what it refers to by `#/$defs/..` would be elsewhere. Each reference is replaced
//! by what it refers to. What refers to itself becomes a component of the document, and so does all that is referred to where a
//! schema would grow beyond bounds. References to other documents are never followed: there, everything fits.
//!
//! What is made accepts the same values as what it is made of. OpenAPI 3.1 has the schemas of JSON Schema 2020-12; what drafts 4 to 7
//! wrote otherwise is written as it is since.

mod keywords;
mod members;
mod places;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use members::named;
pub(crate) use resolve::{Components, resolve};
