//! The proof `headers`: plain user headers, trusted only from behind a fence.

use std::collections::HashSet;

use crossway_policy::{Principal, Proof};
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::caller::Caller;
use super::config::{FenceConfig, HeaderNames, HeadersConfig};
use super::connection::Connection;
use super::error::{IdentityError, IdentityWarning};
use super::key::{self, ConnectionKey};
use super::refusal::Refusal;
use super::text::{is_email, is_name};
use super::{Asked, headers, limits};

/// The proof `headers`.
#[derive(Debug)]
pub(super) struct Plain {
    fence: Fence,
    names: Names,
    issuer: String,
}

#[derive(Debug, Default)]
struct Names {
    id: Option<HeaderName>,
    email: Option<HeaderName>,
    name: Option<HeaderName>,
    role: Option<HeaderName>,
    groups: Option<HeaderName>,
}

impl Plain {
    pub(super) fn new(config: &HeadersConfig) -> Result<Self, IdentityError> {
        let issuer = super::name("issuer", &config.issuer)?.to_owned();
        Ok(Self { fence: Fence::new(&config.fence)?, names: Names::new(&config.names)?, issuer })
    }

    pub(super) fn warnings(config: &HeadersConfig) -> Vec<IdentityWarning> {
        let wide = config.fence.networks.iter().filter(|network| network.prefix_len() == 0);
        let wide = wide.map(|network| IdentityWarning::WideNetwork(network.to_string()));
        wide.chain(key::short(&config.fence.connection_key, "fence.connection_key")).collect()
    }

    /// The headers that this proof reads.
    pub(super) fn headers(&self) -> Vec<HeaderName> {
        self.names.all().cloned().collect()
    }

    /// Returns the user whom the headers name, or `None` if there are no such headers.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Result<Option<Caller>, Refusal> {
        self.fence.check(asked)?;
        let said = asked.headers;
        let Some(subject) = self.names.id.as_ref().or(self.names.email.as_ref()) else { return Ok(None) };
        if !self.names.all().any(|name| said.contains_key(name)) {
            return Ok(None);
        }
        // Some of the headers without the subject are refused: headers were lost on the way, or somebody adds them.
        let id = word(said, subject)?.ok_or_else(|| Refusal::Incomplete(subject.clone()))?;
        let mut principal = Principal::new(self.issuer.as_str(), id, Proof::PlainHeader);
        if let Some(name) = &self.names.email
            && let Some(email) = word(said, name)?
        {
            let email = Some(email).filter(|email| is_email(email));
            principal = principal.with_email(email.ok_or_else(|| Refusal::Malformed(name.clone()))?);
        }
        if let Some(header) = &self.names.name
            && let Some(value) = headers::plain(said, header)?
        {
            let malformed = || Refusal::Malformed(header.clone());
            let text = value.to_str().map_err(|_| malformed())?;
            let name = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| malformed())?;
            principal = principal.with_name(Some(name).filter(|name| is_name(name)).ok_or_else(malformed)?);
        }
        if let Some(name) = &self.names.role {
            principal = principal.with_roles(word(said, name)?);
        }
        if let Some(name) = &self.names.groups {
            principal = principal.with_groups(groups(said, name)?);
        }
        Ok(Some(Caller::new(principal)))
    }
}

/// Returns the value of a header whose value is one word.
fn word<'a>(said: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = headers::plain(said, name)? else { return Ok(None) };
    let text = headers::word(name, value)?;
    if is_name(text) { Ok(Some(text)) } else { Err(Refusal::TooLong(name.clone())) }
}

fn groups(said: &HeaderMap, name: &HeaderName) -> Result<Vec<String>, Refusal> {
    let malformed = || Refusal::Malformed(name.clone());
    let Some(value) = headers::one(said, name, limits::TOKEN_BYTES)? else { return Ok(Vec::new()) };
    let text = value.to_str().map_err(|_| malformed())?;
    let groups: Vec<String> =
        text.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect();
    let are_names = groups.len() <= limits::TEXTS && groups.iter().all(|group| is_name(group));
    if are_names { Ok(groups) } else { Err(malformed()) }
}

impl Names {
    fn new(config: &HeaderNames) -> Result<Self, IdentityError> {
        let read = |name: &Option<String>| {
            let name = name
                .as_ref()
                .map(|name| name.parse::<HeaderName>().map_err(|_| IdentityError::NotAHeader(name.clone())));
            name.transpose()
        };
        let names = Self {
            id: read(&config.id)?,
            email: read(&config.email)?,
            name: read(&config.name)?,
            role: read(&config.role)?,
            groups: read(&config.groups)?,
        };
        if names.id.is_none() && names.email.is_none() {
            return Err(IdentityError::NoSubject);
        }
        let mut known = HashSet::from([http::header::AUTHORIZATION, headers::USER_JWT, headers::API_KEY]);
        for name in names.all() {
            if name.as_str().contains('_') {
                return Err(IdentityError::NotAHeader(name.to_string()));
            }
            if !known.insert(name.clone()) {
                return Err(IdentityError::HeaderTwice(name.to_string()));
            }
        }
        Ok(names)
    }

    fn all(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.id, &self.email, &self.name, &self.role, &self.groups].into_iter().flatten()
    }
}

/// The conditions for trusting headers on a connection.
#[derive(Debug)]
struct Fence {
    key: ConnectionKey,
    networks: Vec<IpNet>,
    certificates: Vec<[u8; 32]>,
}

impl Fence {
    fn new(config: &FenceConfig) -> Result<Self, IdentityError> {
        if config.networks.is_empty() && config.client_certificates.is_empty() {
            return Err(IdentityError::OpenFence);
        }
        Ok(Self {
            key: ConnectionKey::new(&config.connection_key, "fence.connection_key")?,
            networks: config.networks.clone(),
            certificates: config.client_certificates.iter().map(|sum| sum.0).collect(),
        })
    }

    /// Checks the key, and the connection's address or client certificate.
    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        self.key.check(asked)?;
        if self.is_inside(asked.connection) { Ok(()) } else { Err(Refusal::OutsideTheFence) }
    }

    fn is_inside(&self, connection: &Connection) -> bool {
        // An IPv4 address may come as an IPv6 one (RFC 4291, section 2.5.5.2), where one socket listens for both.
        let address = connection.address().map(|address| address.ip().to_canonical());
        let is_near =
            address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)));
        let certificate = connection.certificate();
        is_near || certificate.is_some_and(|certificate| self.certificates.contains(&certificate.fingerprint))
    }
}
