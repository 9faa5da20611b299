//! Request body templates.

use serde_json::{Map, Value};

use super::limits;

/// A JSON value with places in its texts: `{args.NAME}`, `{args}` and `{session}` stand for a call's arguments and chat.
///
/// A text that is a single place becomes the value itself, of any type; a member whose text is a single argument that was not given is left
/// out. Within a longer text, texts are inserted unchanged, other values as JSON, and arguments that were not given as nothing. `{{` and
/// `}}` are braces.
///
/// ```
/// use crossway_openapi::webhook::Template;
/// use serde_json::json;
///
/// let template = Template::new(&json!({ "sessionId": "{session}", "chatInput": "{args.question}" }))?;
/// assert!(Template::new(&json!("{nothing}")).is_err());
/// # Ok::<(), crossway_openapi::webhook::BadTemplate>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// A value without places.
    Value(Value),
    /// A text in pieces; a place alone becomes a value.
    Text(Vec<Piece>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Argument(String),
    Arguments,
    Session,
}

/// Why a template is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTemplate {
    /// An unknown place.
    #[error("{{{0}}} is no place; there are {{args.NAME}}, {{args}} and {{session}}, and {{{{ is a brace")]
    Place(String),
    /// A brace without a partner.
    #[error("a brace has no partner in {0:?}; write {{{{ or }}}} for one")]
    Brace(String),
    /// The template is nested too deeply.
    #[error("it is nested deeper than {} levels", limits::TEMPLATE_DEPTH)]
    TooDeep,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    ///
    /// When a place in it is unknown, a brace has no partner, or it is nested too deeply.
    pub fn new(value: &Value) -> Result<Self, BadTemplate> {
        Node::new(value, 0).map(Self)
    }

    /// The default template of a body: all arguments, as an object.
    #[must_use]
    pub fn arguments() -> Self {
        Self(Node::Text(vec![Piece::Arguments]))
    }

    /// The names of the arguments that have places.
    pub(super) fn names(&self) -> Vec<&str> {
        let (mut names, mut rest) = (Vec::new(), vec![&self.0]);
        while let Some(node) = rest.pop() {
            match node {
                Node::Value(_) => {}
                Node::Text(pieces) => names.extend(pieces.iter().filter_map(|piece| match piece {
                    Piece::Argument(name) => Some(name.as_str()),
                    _ => None,
                })),
                Node::List(nodes) => rest.extend(nodes),
                Node::Map(nodes) => rest.extend(nodes.iter().map(|(_, node)| node)),
            }
        }
        names
    }

    /// Fills the places in for a call.
    pub(super) fn fill(&self, arguments: &Map<String, Value>, session: &str) -> Value {
        self.0.fill(arguments, session).unwrap_or_default()
    }
}

impl Node {
    fn new(value: &Value, depth: usize) -> Result<Self, BadTemplate> {
        if depth > limits::TEMPLATE_DEPTH {
            return Err(BadTemplate::TooDeep);
        }
        Ok(match value {
            Value::String(text) => Self::Text(pieces(text)?),
            Value::Array(list) => {
                Self::List(list.iter().map(|value| Self::new(value, depth + 1)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let each = map.iter().map(|(name, value)| Ok((name.clone(), Self::new(value, depth + 1)?)));
                Self::Map(each.collect::<Result<_, _>>()?)
            }
            value => Self::Value(value.clone()),
        })
    }

    /// Returns `None` for an argument that was not given.
    fn fill(&self, arguments: &Map<String, Value>, session: &str) -> Option<Value> {
        Some(match self {
            Self::Value(value) => value.clone(),
            Self::Text(pieces) => match &pieces[..] {
                [Piece::Argument(name)] => return arguments.get(name).cloned(),
                [Piece::Arguments] => arguments.clone().into(),
                pieces => {
                    pieces.iter().map(|piece| piece.text(arguments, session)).collect::<String>().into()
                }
            },
            Self::List(list) => list.iter().filter_map(|node| node.fill(arguments, session)).collect(),
            Self::Map(map) => {
                let each = map.iter().filter_map(|(name, node)| {
                    node.fill(arguments, session).map(|value| (name.clone(), value))
                });
                Value::Object(each.collect())
            }
        })
    }
}

impl Piece {
    fn text(&self, arguments: &Map<String, Value>, session: &str) -> String {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        match self {
            Self::Text(text) => text.clone(),
            Self::Argument(name) => arguments.get(name).map(text).unwrap_or_default(),
            Self::Arguments => Value::from(arguments.clone()).to_string(),
            Self::Session => session.to_owned(),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, BadTemplate> {
    let alone = || BadTemplate::Brace(text.chars().take(limits::QUOTED_CHARS).collect());
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(alone());
        }
        let (name, after) = rest.split_once('}').ok_or_else(alone)?;
        let piece = match name {
            "args" => Piece::Arguments,
            "session" => Piece::Session,
            name => match name.strip_prefix("args.").filter(|name| !name.is_empty()) {
                Some(name) => Piece::Argument(name.to_owned()),
                None => return Err(BadTemplate::Place(name.chars().take(limits::QUOTED_CHARS).collect())),
            },
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: Value, arguments: Value) -> Value {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        Template::new(&template).unwrap().fill(&arguments, "chat-1")
    }

    #[test]
    fn places_become_what_a_call_says() {
        let template =
            json!({ "sessionId": "{session}", "chatInput": "{args.text}", "more": [1, "{args.list}"] });
        let wanted = json!({ "sessionId": "chat-1", "chatInput": "hi {args.x}", "more": [1, [2]] });
        assert_eq!(filled(template, json!({ "text": "hi {args.x}", "list": [2] })), wanted);
        assert_eq!(filled(json!("{args}"), json!({ "a": null })), json!({ "a": null }));
        assert_eq!(filled(json!("{{{args.a}}} of {session}"), json!({ "a": [1] })), json!("{[1]} of chat-1"));
    }

    #[test]
    fn what_was_not_given_is_left_out() {
        assert_eq!(filled(json!({ "a": "{args.a}", "b": ["{args.a}"] }), json!({})), json!({ "b": [] }));
        assert_eq!(filled(json!("a{args.a}b"), json!({})), json!("ab"));
        assert_eq!(filled(json!({ "a": "" }), json!({})), json!({ "a": "" }));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (template, wanted) in [
            (json!("{user}"), "{user} is no place"),
            (json!({ "a": ["{args.}"] }), "{args.} is no place"),
            (json!("{"), "a brace has no partner"),
            (json!("a } b"), "a brace has no partner"),
        ] {
            let error = Template::new(&template).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let deep = (0..20).fold(json!(1), |value, _| json!([value]));
        assert_eq!(Template::new(&deep), Err(BadTemplate::TooDeep));
    }
}
