//! Sanitizes texts of untrusted upstreams: bounds their length and removes invisible characters.
//!
//! In answers to `initialize`, `server/discover` and the four lists, each text named `description`, `title` or `instructions`, at
//! any depth (argument schemas have descriptions too), loses
//!
//! - control characters, except line breaks and tabs;
//! - characters that change the direction of text (bidirectional marks, embeddings, overrides, isolates);
//! - invisible characters that may hide text from people but not from models: tags, supplementary variation selectors, fillers and others;
//! - everything beyond a maximum length.
//!
//! Everything else stays byte for byte, above all names: a tool is called by its name. Results of tools are not changed.
//!
//! This makes no server trustworthy: visible instructions may still mislead a model.

mod layer;
mod reply;
mod text;

#[cfg(test)]
mod tests;

pub use layer::SanitizeLayer;
