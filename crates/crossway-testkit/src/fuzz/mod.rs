//! The checks of the fuzz targets, as functions of the fuzzer's bytes: `fuzz/` calls them with generated inputs, and each crate's tests
//! with the inputs in `fuzz/corpus`.
//!
//! Each function panics when a property does not hold. The first bytes of an input are choices (limits, cuts), the rest is text, which
//! keeps a corpus readable.

mod calls;
mod envelope;
mod headers;
mod http;
mod input;
mod json;
mod line;
mod replay;
pub mod seeds;
mod sse;

pub use calls::calls;
pub use envelope::envelope;
pub use headers::headers;
pub use http::{Pieces, http, upstream};
pub use line::line;
pub use replay::{corpus, replay};
pub use sse::sse;
