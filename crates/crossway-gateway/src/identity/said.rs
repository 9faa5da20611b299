//! Which facts about a caller each proof can provide.

use std::fmt;

use super::{ApiKeyConfig, IdentityConfig};

/// An attribute of a caller, besides its identity, that rules may test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Said {
    /// Groups.
    Groups,
    /// Roles.
    Roles,
    /// An e-mail address.
    Email,
    /// A name for people.
    Name,
    /// The claim with this name.
    Claim(String),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups => f.write_str("groups"),
            Self::Roles => f.write_str("roles"),
            Self::Email => f.write_str("an e-mail address"),
            Self::Name => f.write_str("a name"),
            Self::Claim(name) => write!(f, "the claim {name:?}"),
        }
    }
}

impl IdentityConfig {
    /// Whether the proof, as configured, can provide this attribute for any caller.
    #[must_use]
    pub fn can_say(&self, what: &Said) -> bool {
        match self {
            Self::Jwt(config) => {
                let claims = &config.claims;
                match what {
                    Said::Groups => claims.groups.is_some(),
                    Said::Roles => claims.roles.is_some(),
                    Said::Email => claims.email.is_some(),
                    Said::Name => claims.name.is_some(),
                    Said::Claim(name) => claims.keep.contains(name),
                }
            }
            // Open WebUI signs one role, and no groups.
            Self::OpenWebUiJwt(_) => matches!(what, Said::Roles | Said::Email | Said::Name),
            Self::Headers(config) => {
                let names = &config.names;
                match what {
                    Said::Groups => names.groups.is_some(),
                    Said::Roles => names.role.is_some(),
                    Said::Email => names.email.is_some(),
                    Said::Name => names.name.is_some(),
                    Said::Claim(_) => false,
                }
            }
            Self::ApiKeys(config) => {
                let says = |key: &ApiKeyConfig| match what {
                    Said::Groups => !key.groups.is_empty(),
                    Said::Roles => !key.roles.is_empty(),
                    Said::Email => key.email.is_some(),
                    Said::Name => key.name.is_some(),
                    Said::Claim(name) => key.claims.contains_key(name),
                };
                config.keys.iter().any(says)
            }
            Self::None(_) => false,
        }
    }

    /// The issuer of all identified callers; empty for the proof `none`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        match self {
            Self::Jwt(config) => &config.issuer,
            Self::OpenWebUiJwt(_) => super::open_webui::ISSUER,
            Self::Headers(config) => &config.issuer,
            Self::ApiKeys(config) => &config.issuer,
            Self::None(_) => "",
        }
    }

    /// The proof's name in the config.
    #[must_use]
    pub fn proof(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::OpenWebUiJwt(_) => "open-webui-jwt",
            Self::Headers(_) => "headers",
            Self::ApiKeys(_) => "api-keys",
            Self::None(_) => "none",
        }
    }
}
