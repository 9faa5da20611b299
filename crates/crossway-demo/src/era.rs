//! The revisions that the server speaks, and the one of a request.

use std::{borrow::Cow, fmt, str::FromStr};

use rmcp::{
    RoleServer,
    model::{ErrorData, ProtocolVersion},
    service::RequestContext,
};

/// The revisions that a [`Demo`](crate::Demo) speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Era {
    /// All of them, 2024-11-05 to 2026-07-28.
    #[default]
    Both,
    /// Those with an `initialize` handshake, 2024-11-05 to 2025-11-25.
    Legacy,
    /// 2026-07-28 only: stateless requests, `server/discover`, no `initialize`.
    Modern,
}

/// The name is not `both`, `legacy` or `modern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an era is one of: both, legacy, modern")]
pub struct UnknownEra;

impl Era {
    /// Every era, in the order in which help texts list them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Legacy, Self::Modern];

    /// The era's name, as [`FromStr`] parses it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }

    /// The revisions that rmcp may pass to the handler.
    ///
    /// A legacy-only server has the modern one too: otherwise rmcp would answer `server/discover` with -32022, and a client that gets this
    /// code takes the server for a modern one and never sends `initialize` (2026-07-28, basic/transports/stdio). The handler refuses those
    /// requests itself.
    pub(crate) fn revisions(self) -> Cow<'static, [ProtocolVersion]> {
        match self {
            Self::Both | Self::Legacy => Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS),
            Self::Modern => Cow::Owned(vec![ProtocolVersion::V_2026_07_28]),
        }
    }

    /// The revision to offer to a client that asks for one that the server lacks.
    pub(crate) const fn preferred(self) -> ProtocolVersion {
        match self {
            Self::Both | Self::Legacy => ProtocolVersion::LATEST_WITH_INITIALIZE,
            Self::Modern => ProtocolVersion::V_2026_07_28,
        }
    }

    /// The dialect of a request, if this server speaks it.
    pub(crate) fn admit(self, context: &RequestContext<RoleServer>) -> Result<Dialect, ErrorData> {
        let dialect = Dialect::of(context);
        match (self, dialect) {
            (Self::Legacy, Dialect::Modern) => Err(ErrorData::invalid_request(
                format!("this server speaks revisions up to {}: send initialize first", self.preferred()),
                None,
            )),
            (Self::Modern, Dialect::Legacy) => Err(ErrorData::invalid_request(
                format!(
                    "this server speaks revision {} only: each request names it in _meta",
                    self.preferred()
                ),
                None,
            )),
            (_, Dialect::Modern) if names_an_unknown_log_level(context) => {
                Err(ErrorData::invalid_params(format!("{LOG_LEVEL_KEY} is not a log level"), None))
            }
            (_, dialect) => Ok(dialect),
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Era {
    type Err = UnknownEra;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|era| era.as_str() == name).ok_or(UnknownEra)
    }
}

/// The way in which a request has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Within a session: the server may send requests of its own.
    Legacy,
    /// Stateless, 2026-07-28 and later.
    Modern,
}

impl Dialect {
    /// The dialect in the request's `_meta`, else the session's.
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        Self::of_revision(context.protocol_version())
    }

    /// The dialect in the request's `_meta` alone.
    pub(crate) fn of_request(context: &RequestContext<RoleServer>) -> Self {
        Self::of_revision(context.meta.protocol_version())
    }

    fn of_revision(revision: Option<ProtocolVersion>) -> Self {
        match revision {
            Some(revision) if revision >= ProtocolVersion::V_2026_07_28 => Self::Modern,
            _ => Self::Legacy,
        }
    }
}

const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";

/// Whether the log level is not "recognized": then "the server SHOULD reject that request" (2026-07-28, server/utilities/logging).
fn names_an_unknown_log_level(context: &RequestContext<RoleServer>) -> bool {
    context.meta.contains_key(LOG_LEVEL_KEY) && context.meta.log_level().is_none()
}
