//! Every bound of webhooks, with its default and the reason for it.

use std::time::Duration;

/// How long a webhook may take: 2 minutes. Workflows ask models, and those take their time.
pub const WEBHOOK_TIME: Duration = Duration::from_secs(120);
/// How many tools an upstream of webhooks may have: 100. Each is written by hand.
pub const WEBHOOK_TOOLS: usize = 100;
/// How deep the template of a body may be: 16 levels.
pub const TEMPLATE_DEPTH: usize = 16;
/// How long the name of a chat may be: 256 bytes. Open WebUI's are UUIDs.
pub const CHAT_BYTES: usize = 256;
