//! Sanitizes texts of untrusted upstreams: bounds their length and removes invisible characters.
//!
//! In answers to `initialize`, `server/discover` and the four lists, each text that is called `description`, `title` or
//! `instructions`, at any depth (schemas of arguments have descriptions too), loses
//!
//! - control characters, but for line breaks and tabs;
//! - what changes the direction of text (bidirectional marks, embeddings, overrides, isolates);
//! - what is invisible and may hide text from people that models read: tags, supplementary variation selectors, fillers and others;
//! - what is beyond a length.
//!
//! Everything else stays the bytes that it is, names above all: a tool is called by its name. What a tool answers is not looked at.
//!
//! This makes nobody trustworthy: instructions that people can read may still be there to mislead a model.

mod layer;
mod reply;
mod text;

#[cfg(test)]
mod tests;

pub use layer::SanitizeLayer;
