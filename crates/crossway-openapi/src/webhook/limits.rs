//! Every bound of webhooks, with its default and the reason for it.

use std::time::Duration;

/// How long a webhook may take: 2 minutes. Workflows call models, which take their time.
pub const WEBHOOK_TIME: Duration = Duration::from_secs(120);
/// How many tools an upstream of webhooks may have: 100. Each is written by hand.
pub const WEBHOOK_TOOLS: usize = 100;
/// How deep the template of a body may be: 16 levels.
pub const TEMPLATE_DEPTH: usize = 16;
/// The longest name of a chat: 256 bytes. Open WebUI's are UUIDs.
pub const CHAT_BYTES: usize = 256;
/// The most characters of a template that an error quotes: 64, enough to find the mistake in the config.
pub const QUOTED_CHARS: usize = 64;
/// The most characters of a tool's name that an error quotes: 80, more than the 64 that a name may have.
pub const QUOTED_NAME_CHARS: usize = 80;
/// The most characters of a method's name that an error quotes: 16. The longest one in use has 9.
pub const QUOTED_METHOD_CHARS: usize = 16;
