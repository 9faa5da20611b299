//! An upstream for a REST API: the operations of its OpenAPI document are the tools.
//!
//! A [`Document`] is parsed within bounds; an [`Api`] makes tools of it, once; a [`RestUpstream`] calls them for one caller, with the
//! caller's credentials [`Attached`](crate::Attached) to each request.

mod api;
mod current;
mod document;
mod filter;
pub mod limits;
mod names;
mod operation;
mod request;
mod schema;
mod security;
mod server;
mod upstream;

pub use api::{Api, ApiError, ApiOptions, LeftOut};
pub use current::CurrentApi;
pub use document::{Broken, Document, DocumentError, FetchError, Validators, fetch};
pub use filter::{BadPattern, Filter};
pub use operation::Unusable;
pub use schema::BadSchema;
pub use security::{SecurityPlace, Unfilled};
pub use server::ServerError;
pub use upstream::RestUpstream;
