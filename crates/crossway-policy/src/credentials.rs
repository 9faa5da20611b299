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

/// All credentials that one upstream is sent on behalf of one caller. Empty if no rule applies.
pub type Credentials = Vec<Credential>;

/// One credential: where it goes, the text around its secret, and the source of the secret.
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
    /// A header of each request, with its name in lower case.
    Header(Arc<str>),
    /// A member of the query of each request's URL. Whoever builds the URL has to percent-encode it.
    Query(Arc<str>),
    /// An environment variable of the child process.
    Variable(Arc<str>),
}

/// Where a secret is taken from. Equal sources give the same secret, and can share what was read.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretSource {
    /// An environment variable of this program.
    Variable(String),
    /// A file. One line break at its end is not part of the secret.
    File(String),
    /// The output of a command. One line break at its end is not part of the secret.
    Command {
        /// The program. It is run without a shell.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// How long the command may take.
        timeout: Duration,
        /// How long its output is kept.
        keep: Duration,
    },
    /// The answer of an HTTP service to GET: JSON, with the secret in `data.data` under this field.
    Broker {
        /// The URL. Redirects are not followed.
        url: String,
        /// The field.
        field: String,
        /// Where the token for `X-Vault-Token` is taken from.
        token: Option<TokenSource>,
        /// How long the request may take.
        timeout: Duration,
        /// How long an answer is kept.
        keep: Duration,
    },
    /// A source that the program provides under this name, asked for this caller.
    Named {
        /// The name.
        name: String,
        /// The user whose secret is asked for, by issuer and subject.
        user: Option<Principal>,
        /// The tenant whose secret is asked for.
        tenant: Option<TenantName>,
    },
}

/// The caller lacks a credential that an upstream needs. The text of [`ask`](Self::ask) is for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a credential for upstream {upstream} is missing: {why}")]
pub struct CredentialMissing {
    upstream: Arc<str>,
    holder: Holder,
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
    /// Where the credential goes.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where the secret is taken from. `None` if the credential has no secret.
    #[must_use]
    pub fn source(&self) -> Option<&SecretSource> {
        self.source.as_ref()
    }

    /// Whose credential it is. An upstream instance that received it is never shared more widely.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// Whether calls fail without the credential. If not, they go without it, never with another caller's.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The upstream that receives the credential.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// The index of its rule among the credential rules, from 0 on.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule as usize
    }

    /// Returns the text to send, with this secret in it. This is the only place where a secret is inserted: the result is secret too.
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
        if self.place.fits(&text) { Ok(text) } else { Err(self.missing(MissingReason::Unfit)) }
    }

    /// Makes the error for a missing credential.
    #[must_use]
    pub fn missing(&self, why: MissingReason) -> CredentialMissing {
        let (upstream, ask) = (Arc::clone(&self.upstream), self.ask.clone());
        CredentialMissing { upstream, holder: self.holder, ask, why }
    }
}

impl CredentialMissing {
    /// The upstream that needs the credential.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Whose credential is missing. The caller can only get their own.
    #[must_use]
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// What the caller should do, in the operator's words.
    #[must_use]
    pub fn ask(&self) -> Option<&str> {
        self.ask.as_deref()
    }

    /// The reason, for operators.
    #[must_use]
    pub fn reason(&self) -> MissingReason {
        self.why
    }
}

impl Place {
    /// Whether a text can be sent in this place.
    fn fits(&self, text: &str) -> bool {
        text.len() <= limits::VALUE_BYTES
            && match self {
                Self::Header(_) => {
                    let edge = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
                    !edge && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
                }
                Self::Query(_) => !text.contains(char::is_control),
                Self::Variable(_) => !text.contains('\0'),
            }
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
    /// The kind of source as one word, for logs and explanations.
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
    /// Shows the kind alone: paths and arguments may name users.
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
