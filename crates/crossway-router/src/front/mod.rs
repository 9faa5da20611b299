//! Sessions of legacy clients on a modern upstream.
