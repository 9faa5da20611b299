//! Templates that are filled in from the caller.

use serde_json::Value;

use crate::{Principal, TenantName, limits};

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Secret,
    Tenant,
    User(Field),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Email,
    Subject,
    Issuer,
    Name,
    Claim(Box<str>),
}

/// A template that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTemplate {
    /// A brace is not closed or not opened.
    #[error("has a brace without its other; a brace itself is written twice")]
    Brace,
    /// The placeholder is unknown, or not allowed here.
    #[error("has {{{0}}}, which does not stand for anything here")]
    Unknown(String),
    /// The template is longer than a template may be.
    #[error("has more than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
}

/// Where a template's text goes, which restricts the values that may be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    /// A header's value.
    Header,
    /// An environment variable.
    Variable,
    /// An argument of a command.
    Argument,
    /// A URL.
    Url,
    /// A path. It may depend on the tenant, not on the user.
    Path,
}

/// Why a placeholder can't be filled in for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfilled {
    /// The caller lacks the value.
    #[error("nothing is known of the caller that a template asks for")]
    Missing,
    /// The caller's value could be read as more than a name in that place.
    #[error("what is known of the caller can't safely be put where a template asks for it")]
    Unsafe,
    /// The caller's file name would be too long.
    #[error("the caller's name is too long for a file")]
    TooLong,
}

/// A template with everything filled in but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text(Box<[Piece]>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Piece {
    Text(Box<str>),
    Secret,
}

impl Template {
    /// Parses a template that has no secret.
    pub(crate) fn parse(text: &str, into: Sink) -> Result<Self, BadTemplate> {
        Self::parse_parts(text, |place| part(place, into))
    }

    /// Parses a template that may have `{secret}`.
    pub(crate) fn parse_with_secret(text: &str, into: Sink) -> Result<Self, BadTemplate> {
        Self::parse_parts(text, |place| match place {
            "secret" => Some(Part::Secret),
            place => part(place, into),
        })
    }

    fn parse_parts(text: &str, part: impl Fn(&str) -> Option<Part>) -> Result<Self, BadTemplate> {
        if text.len() > limits::TEMPLATE_BYTES {
            return Err(BadTemplate::TooLong { limit: limits::TEMPLATE_BYTES });
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                plain.push_str(brace);
                rest = behind;
                continue;
            }
            let place = behind.split_once('}').filter(|_| brace == "{");
            let (place, behind) = place.ok_or(BadTemplate::Brace)?;
            parts.extend(Some(std::mem::take(&mut plain)).filter(|plain| !plain.is_empty()).map(text_part));
            parts.push(part(place).ok_or_else(|| BadTemplate::Unknown(place.to_owned()))?);
            rest = behind;
        }
        plain.push_str(rest);
        parts.extend(Some(plain).filter(|plain| !plain.is_empty()).map(text_part));
        Ok(Self(parts))
    }

    pub(crate) fn has_secret(&self) -> bool {
        self.0.contains(&Part::Secret)
    }

    pub(crate) fn is_of_user(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::User(_)))
    }

    pub(crate) fn is_of_tenant(&self) -> bool {
        self.0.contains(&Part::Tenant)
    }

    /// The literal text.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// Returns the text with this secret, and an `x` in place of each value of a caller.
    pub(crate) fn sample(&self, secret: &str) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Secret => secret,
            Part::Tenant | Part::User(_) => "x",
        });
        parts.collect()
    }

    pub(crate) fn fill(
        &self,
        into: Sink,
        principal: &Principal,
        tenant: &TenantName,
    ) -> Result<Text, Unfilled> {
        let pieces = self.0.iter().map(|part| {
            let value = match part {
                Part::Text(text) => return Ok(Piece::Text(text.clone())),
                Part::Secret => return Ok(Piece::Secret),
                Part::Tenant => tenant.as_str(),
                Part::User(field) => field.of(principal).ok_or(Unfilled::Missing)?,
            };
            let name = matches!(part, Part::User(Field::Name));
            encode(value, into, name).map(|text| Piece::Text(text.into()))
        });
        let text = Text(pieces.collect::<Result<_, _>>()?);
        // A leading dash makes an option.
        let option =
            text.0.first().is_some_and(|first| matches!(first, Piece::Text(text) if text.starts_with('-')));
        if into == Sink::Argument && option && !matches!(self.0.first(), Some(Part::Text(_))) {
            return Err(Unfilled::Unsafe);
        }
        Ok(text)
    }
}

impl Text {
    pub(crate) fn with_secret(&self, secret: &str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Secret => secret,
        });
        pieces.collect()
    }

    /// The text of a template without a secret.
    pub(crate) fn without_secret(&self) -> String {
        self.with_secret("")
    }

    pub(crate) fn secret() -> Self {
        Self(Box::new([Piece::Secret]))
    }
}

impl Field {
    fn of<'a>(&self, principal: &'a Principal) -> Option<&'a str> {
        match self {
            Self::Email => principal.email(),
            Self::Subject => Some(principal.subject()),
            Self::Issuer => Some(principal.issuer()),
            Self::Name => principal.name(),
            Self::Claim(name) => principal.claim(name).and_then(Value::as_str),
        }
    }
}

fn text_part(text: String) -> Part {
    Part::Text(text.into())
}

fn part(place: &str, into: Sink) -> Option<Part> {
    let part = match place {
        "tenant" => return Some(Part::Tenant),
        "user.email" => Field::Email,
        "user.subject" => Field::Subject,
        "user.issuer" => Field::Issuer,
        "user.name" => Field::Name,
        _ => Field::Claim(place.strip_prefix("user.claims.").filter(|name| !name.is_empty())?.into()),
    };
    (into != Sink::Path).then_some(Part::User(part))
}

/// Encodes a value for its place. Fails if it could be read as more than a name there.
fn encode(value: &str, into: Sink, name: bool) -> Result<String, Unfilled> {
    if value.is_empty() {
        return Err(Unfilled::Missing);
    }
    let fits = |fits: bool| if fits { Ok(value.to_owned()) } else { Err(Unfilled::Unsafe) };
    let control = value.chars().any(char::is_control);
    match into {
        // Display names have any letters; they are encoded as Open WebUI sends them.
        Sink::Header if name => Ok(percent_encode(value, b"-._~ ")),
        // No separators of lists, parameters or strings: the value ends where the template says.
        Sink::Header => fits(
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~@+:/|=!#$*%&".contains(&byte)),
        ),
        Sink::Variable | Sink::Argument => fits(!control),
        // URL parsers take encoded dots for dots.
        Sink::Url if value.bytes().all(|byte| byte == b'.') => Err(Unfilled::Unsafe),
        Sink::Url => Ok(percent_encode(value, b"-._~")),
        Sink::Path => fits(!control && !value.contains(['/', '\\'])),
    }
}

fn percent_encode(value: &str, keep: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proof;

    fn fill(text: &str, into: Sink, principal: &Principal) -> Result<String, Unfilled> {
        let template = Template::parse_with_secret(text, into).unwrap();
        let tenant = TenantName::new("acme").unwrap();
        template.fill(into, principal, &tenant).map(|text| text.with_secret("s3"))
    }

    #[test]
    fn places_are_filled_in() {
        let alice = Principal::new("https://login", "a|1", Proof::Jwt)
            .with_email("alice@acme.example")
            .with_name("Älice B")
            .with_claim("org", "o1".into());
        for (template, into, text) in [
            ("Bearer {secret}", Sink::Header, "Bearer s3"),
            ("{user.email}/{tenant}", Sink::Header, "alice@acme.example/acme"),
            ("{user.name}", Sink::Header, "%C3%84lice B"),
            ("{{{user.claims.org}}}", Sink::Variable, "{o1}"),
            (
                "https://vault/{user.issuer}/{user.subject}",
                Sink::Url,
                "https://vault/https%3A%2F%2Flogin/a%7C1",
            ),
            ("", Sink::Header, ""),
        ] {
            assert_eq!(fill(template, into, &alice).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_could_be_read_as_more_than_a_name_is_not_filled_in() {
        let of = |subject: &str| Principal::new("i", subject, Proof::Jwt);
        for (subject, into) in [
            ("a\r\nX-Admin: 1", Sink::Header),
            ("a, b", Sink::Header),
            ("a;role=admin", Sink::Header),
            ("ä", Sink::Header),
            ("a\0", Sink::Variable),
            ("a\nb", Sink::Variable),
            ("-rf", Sink::Argument),
            ("..", Sink::Url),
        ] {
            assert_eq!(fill("{user.subject}", into, &of(subject)), Err(Unfilled::Unsafe), "{subject:?}");
        }
        assert_eq!(fill("{user.email}", Sink::Header, &of("a")), Err(Unfilled::Missing));
        assert_eq!(fill("--user={user.subject}", Sink::Argument, &of("-a")).as_deref(), Ok("--user=-a"));
    }

    #[test]
    fn templates_with_other_places_are_refused() {
        let bad = |text, into| Template::parse(text, into).unwrap_err();
        assert_eq!(bad("{secret}", Sink::Url), BadTemplate::Unknown("secret".into()));
        assert_eq!(bad("{user.email}", Sink::Path), BadTemplate::Unknown("user.email".into()));
        assert_eq!(bad("{user.claims.}", Sink::Url), BadTemplate::Unknown("user.claims.".into()));
        assert_eq!(bad("{a{b}", Sink::Header), BadTemplate::Unknown("a{b".into()));
        for text in ["{", "}", "a{b"] {
            assert_eq!(
                Template::parse_with_secret(text, Sink::Header).unwrap_err(),
                BadTemplate::Brace,
                "{text}"
            );
        }
    }
}
