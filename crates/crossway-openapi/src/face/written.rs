//! JSON objects that are written member by member.

use serde::Serialize;

/// An object as JSON text, to which members are appended. A [`Tree`](super::tree::Tree) of the same would take several times the memory.
#[derive(Debug)]
pub(crate) struct Written(Vec<u8>);

impl Written {
    /// How many bytes were written.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes back what was written after there were `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Adds a member that must not exist yet.
    pub(crate) fn push(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        // Writing to memory does not fail, nor does a value whose names are texts.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    /// Adds a member that was written in the same way.
    pub(crate) fn push_written(&mut self, name: &str, value: Self) {
        self.name(name);
        self.0.extend_from_slice(&value.into_json());
    }

    fn name(&mut self, name: &str) {
        if self.0 != b"{" {
            self.0.push(b',');
        }
        let _ = serde_json::to_writer(&mut self.0, name);
        self.0.push(b':');
    }

    /// The whole object.
    pub(crate) fn into_json(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

impl Default for Written {
    fn default() -> Self {
        Self(vec![b'{'])
    }
}
