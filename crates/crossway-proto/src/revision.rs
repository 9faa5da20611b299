//! Protocol revisions, and what each allows.

use std::{fmt, str::FromStr};

/// The two kinds of revisions (2026-07-28, basic/versioning, "Terminology").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Before 2026-07-28: a session opens with an `initialize` handshake.
    Legacy,
    /// 2026-07-28 and later: each request carries its version and capabilities, with no handshake before it.
    Modern,
}

/// A revision of the Model Context Protocol ("protocol version" in the specification).
///
/// Revisions are ordered by date. Ask a revision what it allows rather than comparing dates:
///
/// ```
/// use crossway_proto::Revision;
///
/// let revision: Revision = "2025-11-25".parse()?;
/// assert!(revision.is_legacy() && revision.primes_streams());
/// assert!(revision < Revision::LATEST);
/// assert!(Revision::V2025_03_26.allows_batches());
/// # Ok::<(), crossway_proto::UnknownRevision>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05: stdio and HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP with sessions; the only revision with batches.
    V2025_03_26,
    /// 2025-06-18: the `MCP-Protocol-Version` header, elicitation; no batches any more.
    V2025_06_18,
    /// 2025-11-25: priming events and `retry`, elicitation by URL.
    V2025_11_25,
    /// 2026-07-28: stateless; metadata with each request instead of a handshake.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The newest revision.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The newest revision that opens with `initialize`.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// The revision of an HTTP request without an `MCP-Protocol-Version` header.
    ///
    /// "the server **SHOULD** assume protocol version `2025-03-26`" (2025-11-25, basic/transports,
    /// "Protocol Version Header").
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// The revision with this name, if it is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// The name in messages and headers: a date.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    const fn at_least(self, other: Self) -> bool {
        self as u8 >= other as u8
    }

    /// The era of the revision.
    #[must_use]
    pub const fn era(self) -> Era {
        if self.at_least(Self::V2026_07_28) { Era::Modern } else { Era::Legacy }
    }

    /// Whether it is of [`Era::Modern`].
    #[must_use]
    pub const fn is_modern(self) -> bool {
        matches!(self.era(), Era::Modern)
    }

    /// Whether it is of [`Era::Legacy`].
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self.era(), Era::Legacy)
    }

    /// Whether several messages may come in one JSON array: in 2025-03-26 and in no other revision.
    #[must_use]
    pub const fn allows_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }

    /// Whether a Streamable HTTP server may hand out an `Mcp-Session-Id`, to be ended by DELETE.
    #[must_use]
    pub const fn has_sessions(self) -> bool {
        self.at_least(Self::V2025_03_26) && self.is_legacy()
    }

    /// Whether a server may prime a stream with an event that has an id and empty data, and close the connection
    /// without ending the stream (2025-11-25, basic/transports, "Sending Messages to the Server").
    ///
    /// Clients of earlier revisions may choke on the empty data.
    #[must_use]
    pub const fn primes_streams(self) -> bool {
        self.has_sessions() && self.at_least(Self::V2025_11_25)
    }

    /// Whether a client has to send `MCP-Protocol-Version` with each HTTP request (after `initialize`, where there
    /// is one).
    #[must_use]
    pub const fn requires_version_header(self) -> bool {
        self.at_least(Self::V2025_06_18)
    }

    /// Whether servers can ask the user for input (elicitation).
    #[must_use]
    pub const fn has_elicitation(self) -> bool {
        self.at_least(Self::V2025_06_18)
    }

    /// Whether elicitation can send the user to a URL.
    #[must_use]
    pub const fn has_url_elicitation(self) -> bool {
        self.at_least(Self::V2025_11_25)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name).ok_or(UnknownRevision)
    }
}

/// A protocol version that is none of [`Revision::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the protocol version is not one of those that exist")]
pub struct UnknownRevision;

#[cfg(test)]
mod tests {
    use super::*;

    fn those(allowed: impl Fn(Revision) -> bool) -> Vec<&'static str> {
        Revision::ALL.into_iter().filter(|r| allowed(*r)).map(Revision::as_str).collect()
    }

    #[test]
    fn a_name_is_read_back_as_the_revision_that_wrote_it() {
        for revision in Revision::ALL {
            assert_eq!(revision.to_string().parse(), Ok(revision));
        }
        for name in ["", "2025-11-26", "2025-11-25 ", "DRAFT", "draft", "2024-10-07"] {
            assert_eq!(name.parse::<Revision>(), Err(UnknownRevision), "{name:?}");
        }
    }

    #[test]
    fn revisions_are_ordered_by_date() {
        assert!(Revision::ALL.is_sorted_by(|a, b| a < b && a.as_str() < b.as_str()));
        assert_eq!(Revision::ALL.last(), Some(&Revision::LATEST));
        assert!(Revision::LATEST_LEGACY.is_legacy());
        assert_eq!(those(Revision::is_legacy).last(), Some(&Revision::LATEST_LEGACY.as_str()));
    }

    #[test]
    fn each_revision_allows_what_its_text_says() {
        assert_eq!(those(Revision::allows_batches), ["2025-03-26"]);
        assert_eq!(those(Revision::has_sessions), ["2025-03-26", "2025-06-18", "2025-11-25"]);
        assert_eq!(those(Revision::primes_streams), ["2025-11-25"]);
        assert_eq!(those(Revision::requires_version_header), ["2025-06-18", "2025-11-25", "2026-07-28"]);
        assert_eq!(those(Revision::has_elicitation), ["2025-06-18", "2025-11-25", "2026-07-28"]);
        assert_eq!(those(Revision::has_url_elicitation), ["2025-11-25", "2026-07-28"]);
        assert_eq!(those(Revision::is_modern), ["2026-07-28"]);
    }
}
