//! Serializes parameter values (OpenAPI 3.1.1, Style Values; RFC 6570).

use http::header::{COOKIE, HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::super::limits;
use super::super::operation::Style;
use super::BadArguments;

/// All characters but the unreserved (RFC 3986, section 2.3), which are never delimiters.
const DELIMITERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a text, so that it has no delimiters.
pub(super) fn percent(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, DELIMITERS));
}

/// The text of a scalar value; JSON of a list or an object.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// `simple`, `label` and `matrix`: RFC 6570's expansions without an operator, with `.` and with `;` (section 3.2.1). `write` encodes each
/// name and each value. Null values are left out, and an empty list or object expands to nothing.
pub(super) fn expanded(
    style: Style,
    explode: bool,
    name: &str,
    value: &Value,
    mut write: impl FnMut(&str, &mut String),
) -> String {
    let (first, between, is_named) = match style {
        Style::Label => (".", ".", false),
        Style::Matrix => (";", ";", true),
        _ => ("", ",", false),
    };
    let mut written = |text: &str| {
        let mut out = String::new();
        write(text, &mut out);
        out
    };
    let name = written(name);
    // In `matrix`, an empty value is written as `;name`.
    let pair = |name: &str, value: &str| match value {
        "" if is_named => name.to_owned(),
        value => format!("{name}={value}"),
    };
    let (parts, is_whole): (Vec<String>, bool) = match value {
        Value::Array(list) => {
            let parts = list.iter().filter(|value| !value.is_null()).map(|value| written(&text(value)));
            let each = |part: String| if is_named && explode { pair(&name, &part) } else { part };
            (parts.map(each).collect(), !explode)
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(member, value)| (written(member), written(&text(value))));
            let each = |(member, value): (String, String)| {
                if explode { vec![pair(&member, &value)] } else { vec![member, value] }
            };
            (members.flat_map(each).collect(), !explode)
        }
        value => (vec![written(&text(value))], true),
    };
    if parts.is_empty() {
        return String::new();
    }
    let joined = parts.join(if explode { between } else { "," });
    let joined = if is_named && is_whole { pair(&name, &joined) } else { joined };
    format!("{first}{joined}")
}

/// A value as a header value. Characters that could end the header are refused.
pub(super) fn headed(value: &Value, explode: bool, argument: &str) -> Result<HeaderValue, BadArguments> {
    let bad = || BadArguments::Header(argument.to_owned());
    let text = expanded(Style::Simple, explode, "", value, |part, out| out.push_str(part));
    let is_fit = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim() == text;
    if !is_fit {
        return Err(bad());
    }
    if text.len() > limits::HEADER_BYTES {
        return Err(BadArguments::LongHeader(argument.to_owned()));
    }
    HeaderValue::from_str(&text).map_err(|_| bad())
}

/// A query, a form, or cookies.
pub(super) struct Query {
    /// The separator of members.
    between: &'static str,
    text: String,
    /// Names of members that come from within an argument (the keys of an object).
    named: Vec<String>,
}

impl Query {
    pub(super) fn new() -> Self {
        Self { between: "&", text: String::new(), named: Vec::new() }
    }

    /// Cookies (RFC 6265, section 4.2.1). Each member is a cookie, since `&` does not separate cookies.
    pub(super) fn cookies() -> Self {
        Self { between: "; ", ..Self::new() }
    }

    /// Adds a parameter in its style. A null value is left out, and so is an empty list or object (RFC 6570, section 2.3).
    pub(super) fn add(
        &mut self,
        style: Style,
        explode: bool,
        argument: &str,
        name: &str,
        value: &Value,
    ) -> Result<(), BadArguments> {
        match (style, value) {
            (Style::DeepObject, Value::Object(_)) => self.deep(argument, name, value, 0),
            (_, Value::Array(list)) => {
                let parts = list.iter().filter(|value| !value.is_null()).map(text);
                if explode {
                    parts.for_each(|part| self.member(name, &part));
                } else {
                    self.joined(name, parts, style);
                }
                Ok(())
            }
            (Style::Form, Value::Object(members)) if explode => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    self.named.push(name.clone());
                    self.member(name, &text(value));
                }
                Ok(())
            }
            (_, Value::Object(members)) => {
                let members = members.iter().filter(|(_, value)| !value.is_null());
                self.joined(name, members.flat_map(|(name, value)| [name.clone(), text(value)]), style);
                Ok(())
            }
            (_, value) => {
                self.member(name, &text(value));
                Ok(())
            }
        }
    }

    /// `name[member]=value`. The specification leaves deeper levels open; this is how APIs accept them.
    fn deep(&mut self, argument: &str, name: &str, value: &Value, depth: usize) -> Result<(), BadArguments> {
        if depth > limits::QUERY_DEPTH {
            return Err(BadArguments::Deep(argument.to_owned()));
        }
        match value {
            Value::Object(members) => members.iter().try_for_each(|(member, value)| {
                // `a][b` would read as two members.
                if member.contains(['[', ']']) {
                    return Err(BadArguments::Brackets(argument.to_owned()));
                }
                self.deep(argument, &format!("{name}[{member}]"), value, depth + 1)
            }),
            Value::Array(list) => {
                list.iter().try_for_each(|value| self.deep(argument, name, value, depth + 1))
            }
            Value::Null => Ok(()),
            value => {
                self.named.push(name.to_owned());
                self.member(name, &text(value));
                Ok(())
            }
        }
    }

    /// Adds one member.
    pub(super) fn member(&mut self, name: &str, value: &str) {
        self.begin(name);
        percent(value, &mut self.text);
    }

    fn joined(&mut self, name: &str, parts: impl Iterator<Item = String>, style: Style) {
        let between = match style {
            Style::SpaceDelimited => "%20",
            Style::PipeDelimited => "%7C",
            _ => ",",
        };
        for (at, part) in parts.enumerate() {
            match at {
                0 => self.begin(name),
                _ => self.text.push_str(between),
            }
            percent(&part, &mut self.text);
        }
    }

    fn begin(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.text.push_str(self.between);
        }
        percent(name, &mut self.text);
        self.text.push('=');
    }

    /// Refuses a member named by an argument that is not allowed to name it.
    pub(super) fn refuse(&self, is_taken: impl Fn(&str) -> bool) -> Result<(), BadArguments> {
        match self.named.iter().find(|name| is_taken(name)) {
            Some(name) => Err(BadArguments::Taken(name.clone())),
            None => Ok(()),
        }
    }

    /// Appends the query to a URL.
    pub(super) fn put(&self, url: &mut String) {
        if !self.text.is_empty() {
            url.push('?');
            url.push_str(&self.text);
        }
    }

    /// Adds the cookies after those of the credentials.
    pub(super) fn put_cookies(&self, headers: &mut HeaderMap) -> Result<(), BadArguments> {
        if self.text.is_empty() {
            return Ok(());
        }
        let bad = || BadArguments::LongHeader("Cookie".to_owned());
        if self.text.len() > limits::HEADER_BYTES {
            return Err(bad());
        }
        let attached = headers.get(COOKIE).filter(|cookies| !cookies.is_empty());
        let text = match attached {
            Some(attached) => [attached.as_bytes(), self.between.as_bytes(), self.text.as_bytes()].concat(),
            None => self.text.clone().into_bytes(),
        };
        let mut value = HeaderValue::from_bytes(&text).map_err(|_| bad())?;
        value.set_sensitive(attached.is_some_and(HeaderValue::is_sensitive));
        headers.insert(COOKIE, value);
        Ok(())
    }

    /// The text, as the body of a form.
    pub(super) fn into_body(self) -> String {
        self.text
    }
}
