//! Webhooks as tools: HTTP requests that start a workflow, such as n8n's, and their answers.
//!
//! A [`WebhookTool`] has the tool's description, the request to send and the result's place in the answer; a [`WebhookUpstream`] has
//! several of these for one caller, with the caller's credentials [`Attached`](crate::Attached) to each request.

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
