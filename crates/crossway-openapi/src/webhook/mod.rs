//! Webhooks as tools: an HTTP request that starts a workflow, such as n8n's, and what it answers.
//!
//! [`WebhookTool`] says what is told of one, what is sent and where in the answer the result stands; a [`WebhookUpstream`] has
//! several, for one caller, with what is [`Attached`](crate::Attached) to each request on the caller's behalf.

mod answer;
pub mod limits;
mod output;
mod template;
mod tool;
mod upstream;

pub use output::{BadOutput, Output};
pub use template::{BadTemplate, Template};
pub use tool::{BadTool, WebhookTool};
pub use upstream::{Chat, WebhookUpstream};
