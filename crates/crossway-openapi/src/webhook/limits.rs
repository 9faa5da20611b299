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
/// How much of a template is quoted in an error: 64 characters, in which the mistake is found in the config.
pub const QUOTED_CHARS: usize = 64;
/// How much of a tool's name is quoted: 80 characters, more than the 64 that a name may have.
pub const QUOTED_NAME_CHARS: usize = 80;
/// How much of a method's name is quoted: 16 characters. The longest one in use has 9.
pub const QUOTED_METHOD_CHARS: usize = 16;
