//! Credential plans: where a credential goes and where its secret comes from, never the secret.

mod compile;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{Holder, TokenSource};
use crate::template::{Text, Unfilled};
use crate::{Principal, TenantName, limits};

pub(crate) use compile::CredentialRules;

/// All that one upstream is sent on behalf of one caller. Empty if no rule says anything.
pub type Credentials = Vec<Credential>;

/// One thing that is sent: where it goes, what it is made of, and where its secret is taken from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    place: Place,
    text: Text,
    basic: Option<Box<str>>,
    source: Option<SecretSource>,
    holder: Holder,
    required: bool,
    ask: Option<Arc<str>>,
    upstream: Arc<str>,
    rule: u32,
}

/// Where a credential goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A header of each request, its name in lower case.
    Header(Arc<str>),
    /// A member of the query of each request's URL. It is percent-encoded by whoever makes the URL.
    Query(Arc<str>),
    /// An environment variable of the child.
    Variable(Arc<str>),
}

/// Where a secret is taken from. Equal ones give the same secret, and can share what was read.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretSource {
    /// An environment variable of this program.
    Variable(String),
    /// A file. One line break at its end is not part of the secret.
    File(String),
    /// What a command prints. One line break at its end is not part of the secret.
    Command {
        /// The program, which is no shell.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// How long it may take.
        timeout: Duration,
        /// How long what it printed holds.
        keep: Duration,
    },
    /// What an HTTP service answers to GET: JSON, and the secret in `data.data` as this field.
    Broker {
        /// The URL. Redirects are not followed.
        url: String,
        /// The field.
        field: String,
        /// Where the token for `X-Vault-Token` is taken from.
        token: Option<TokenSource>,
        /// How long it may take.
        timeout: Duration,
        /// How long an answer holds.
        keep: Duration,
    },
    /// A source that the program provides by this name, asked for this caller.
    Named {
        /// The name.
        name: String,
        /// Whose secret is asked for: a user's, by issuer and subject.
        user: Option<Principal>,
        /// Whose secret is asked for: a tenant's.
        tenant: Option<TenantName>,
    },
}

/// A caller lacks what an upstream needs. What [`ask`](Self::ask) says is for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a credential for upstream {upstream} is missing: {why}")]
pub struct CredentialMissing {
    upstream: Arc<str>,
    ask: Option<Arc<str>>,
    why: MissingReason,
}

/// Why a credential is missing. For operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissingReason {
    /// The source has no secret for the caller.
    #[error("its source has no secret for the caller")]
    NoSecret,
    /// A template can't be filled in for the caller.
    #[error(transparent)]
    Unfilled(Unfilled),
    /// The secret does not fit where it goes: a line break in a header, for example.
    #[error("the secret does not fit where it goes")]
    Unfit,
}

impl Credential {
    /// Where it goes.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where its secret is taken from. None if it has none.
    #[must_use]
    pub fn source(&self) -> Option<&SecretSource> {
        self.source.as_ref()
    }

    /// Whose it is. An instance of an upstream that has got it is never shared more widely.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// Whether calls fail without it. If not, they go without: never with another's.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The upstream that gets it.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Its place among the rules about credentials, from 0 on.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule as usize
    }

    /// The text that is sent, made with this secret. The one place where a secret is put in: what it gives is secret too.
    ///
    /// # Errors
    ///
    /// When the secret is empty, has control characters where a header can't have them or NUL where a variable can't, or is longer
    /// than [`limits::VALUE_BYTES`].
    pub fn render(&self, secret: &str) -> Result<String, CredentialMissing> {
        if self.source.is_some() && secret.is_empty() {
            return Err(self.missing(MissingReason::NoSecret));
        }
        let text = match &self.basic {
            Some(user) => format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))),
            None => self.text.with_secret(secret),
        };
        let fits = text.len() <= limits::VALUE_BYTES
            && match self.place {
                Place::Header(_) => {
                    let edge = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
                    !edge && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
                }
                Place::Query(_) => !text.contains(char::is_control),
                Place::Variable(_) => !text.contains('\0'),
            };
        if fits { Ok(text) } else { Err(self.missing(MissingReason::Unfit)) }
    }

    /// The error of its not being there.
    #[must_use]
    pub fn missing(&self, why: MissingReason) -> CredentialMissing {
        CredentialMissing { upstream: Arc::clone(&self.upstream), ask: self.ask.clone(), why }
    }
}

impl CredentialMissing {
    /// The upstream that needs it.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// What the caller is told to do, in the operator's words.
    #[must_use]
    pub fn ask(&self) -> Option<&str> {
        self.ask.as_deref()
    }

    /// Why, for operators.
    #[must_use]
    pub fn reason(&self) -> MissingReason {
        self.why
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

impl SecretSource {
    /// What kind of source it is, in a word: for logs and explanations.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Variable(_) => "environment",
            Self::File(_) => "file",
            Self::Command { .. } => "command",
            Self::Broker { .. } => "broker",
            Self::Named { .. } => "named",
        }
    }
}

impl fmt::Debug for SecretSource {
    /// The kind alone: paths and arguments may name users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretSource").field(&self.kind()).finish()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Credential");
        debug.field("place", &self.place).field("source", &self.source).field("holder", &self.holder);
        debug.finish_non_exhaustive()
    }
}
