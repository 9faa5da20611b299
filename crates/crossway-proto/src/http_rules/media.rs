//! Media types with their parameters, as in Accept and Content-Type.

/// Splits at a delimiter, but not within quoted strings.
pub(super) fn split(text: &str, delimiter: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                byte => return byte == delimiter && !quoted,
            }
            false
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim_ascii())
    })
}

/// A media type or range, and its parameters.
pub(super) struct Media<'a> {
    /// The type and subtype, like `application/json`.
    pub(super) essence: &'a str,
    parameters: &'a str,
}

impl<'a> Media<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        Self { essence: essence.trim_ascii(), parameters }
    }

    /// The values of the parameter of this name, without quotes around them.
    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = &'a str> {
        split(self.parameters, b';').filter_map(|parameter| parameter.split_once('=')).filter_map(
            move |(parameter, value)| {
                let value = value.trim_ascii();
                let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                parameter.trim_ascii().eq_ignore_ascii_case(name).then(|| unquoted.unwrap_or(value))
            },
        )
    }

    pub(super) fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }
}
