//! Path templates.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Unusable;

/// A path template, in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rest) struct Template(pub(in crate::rest) Vec<Piece>);

/// A piece of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rest) enum Piece {
    /// Literal text, as it is sent.
    Text(String),
    /// The value of the parameter of this name.
    Parameter(String),
}

/// The characters that are percent-encoded in literal text: those that can't be in a URL. Existing escapes stay.
const TEXT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl Template {
    pub(super) fn parse(path: &str) -> Result<Self, Unusable> {
        if !path.starts_with('/') {
            return Err(Unusable::Path("does not begin with a slash"));
        }
        let (mut pieces, mut rest) = (Vec::new(), path);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or(Unusable::Path("has a brace that is not closed"))?;
            if name.is_empty() || name.contains('{') {
                return Err(Unusable::Path("has a parameter without a name"));
            }
            text(before, &mut pieces)?;
            pieces.push(Piece::Parameter(name.to_owned()));
            rest = after;
        }
        text(rest, &mut pieces)?;
        Ok(Self(pieces))
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

fn text(text: &str, pieces: &mut Vec<Piece>) -> Result<(), Unusable> {
    if text.contains(['?', '#']) {
        return Err(Unusable::Path("has a query or a fragment in it"));
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(utf8_percent_encode(text, TEXT).to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        let template = Template::parse("/a b/{id}.json").unwrap();
        let parts =
            [Piece::Text("/a%20b/".into()), Piece::Parameter("id".into()), Piece::Text(".json".into())];
        assert_eq!(template.0, parts);
        assert_eq!(template.parameters().collect::<Vec<_>>(), ["id"]);
        for path in ["", "a", "/{", "/{}", "/{a{b}}", "/a?b={c}", "/a#b"] {
            assert!(Template::parse(path).is_err(), "{path}");
        }
    }
}
