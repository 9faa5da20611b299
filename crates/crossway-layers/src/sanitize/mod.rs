//! Sanitizes texts of untrusted upstreams: bounds their length and removes invisible characters.
//!
//! In answers to `initialize`, `server/discover` and the four lists, each text named `description`, `title` or `instructions`, at any depth
//! (argument schemas have descriptions too), loses what follows. So do the `name` of a resource or a template, which nothing is called by,
//! `name` and `version` in `serverInfo`, and the description in an answer to `prompts/get`:
//!
//! - control characters, except line breaks and tabs;
//! - characters that change the direction of text (bidirectional marks, embeddings, overrides, isolates);
//! - invisible characters that may hide text from people but not from models: tags, supplementary variation selectors, fillers and others;
//! - everything beyond a maximum length.
//!
//! Everything else stays byte for byte, above all names of tools and prompts, which are called by them, and values that arguments take (`enum`,
//! `default`). Results of tools, contents of resources, messages of prompts and errors are not changed: they are what was asked for.
//!
//! This makes no server trustworthy: visible instructions may still mislead a model.

mod layer;
mod reply;
mod text;

#[cfg(test)]
mod tests;

pub use layer::SanitizeLayer;
