//! What the fuzz targets check, as functions of the fuzzer's bytes: `fuzz/` calls them with inputs of its own making,
//! and each crate's tests with the inputs that are kept in `fuzz/corpus`.
//!
//! Each panics when a property does not hold. The first bytes of an input choose (limits, cuts), the rest is text, so
//! that a corpus can be read.

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
