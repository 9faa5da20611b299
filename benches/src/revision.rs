//! The revisions of the protocol that the tools speak.

use std::fmt;

/// A revision of the MCP specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Revision {
    /// Stateless requests, no handshake.
    #[value(name = "2026-07-28")]
    V2026_07_28,
    /// The last with a handshake.
    #[value(name = "2025-11-25")]
    V2025_11_25,
    /// The first with the header MCP-Protocol-Version.
    #[value(name = "2025-06-18")]
    V2025_06_18,
    /// The first with Streamable HTTP.
    #[value(name = "2025-03-26")]
    V2025_03_26,
    /// The one of HTTP+SSE.
    #[value(name = "2024-11-05")]
    V2024_11_05,
}

impl Revision {
    /// All of them, newest first.
    pub const ALL: [Self; 5] =
        [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26, Self::V2024_11_05];

    /// The revision's name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2026_07_28 => "2026-07-28",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2024_11_05 => "2024-11-05",
        }
    }

    /// Whether the revision has no handshake and no sessions.
    pub fn is_modern(self) -> bool {
        self == Self::V2026_07_28
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
