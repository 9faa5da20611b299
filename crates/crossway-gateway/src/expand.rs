//! Expands environment variables in texts of the user.

/// What is wrong with the variables in a text. The text itself is never shown, because it may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// `${` without its `}`.
    #[error("a ${{ is without its }}")]
    NotClosed,
    /// A variable is not set, and the text has no default for it.
    #[error(
        "the environment variable {0} is not set; set it, or write ${{{0}:-DEFAULT}} where that is no secret"
    )]
    NotSet(String),
    /// The text has a variable that editors fill in, such as `${input:key}` of VS Code.
    #[error(
        "${{{0}}} is filled in by an editor; write an environment variable in its place, such as ${{KEY}}"
    )]
    OfEditors(String),
}

/// Replaces `${NAME}`, `${env:NAME}` and `${NAME:-DEFAULT}` by values; `lookup` returns a variable's value. As in a shell, the default is
/// also used for an empty variable, and may contain variables.
///
/// # Errors
///
/// When a variable is not set, or `${` has no `}`.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    expanded(text, lookup).map(|expanded| expanded.text)
}

/// A text whose variables were replaced.
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Whether a default, used or not, has text of its own besides variables.
    pub(crate) has_default: bool,
}

/// Like [`expand`], and also tells about the defaults.
pub(crate) fn expanded(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Expanded, ExpandError> {
    let mut expanded = Expanded { text: String::new(), has_default: false };
    // For each default that is open at this point: whether it is used.
    let mut open: Vec<bool> = Vec::new();
    let mut rest = text;
    loop {
        let is_used = open.last().copied().unwrap_or(true);
        let (variable, end) = (rest.find("${"), rest.find('}').filter(|_| !open.is_empty()));
        let plain = &rest[..variable.unwrap_or(rest.len()).min(end.unwrap_or(rest.len()))];
        expanded.has_default |= !open.is_empty() && !plain.is_empty();
        if is_used {
            expanded.text.push_str(plain);
        }
        rest = &rest[plain.len()..];
        if let Some(after) = rest.strip_prefix("${") {
            let closed = after.find('}').ok_or(ExpandError::NotClosed)?;
            let (name, default) = match after[..closed].split_once(":-") {
                Some((name, _)) => (name, Some(&after[name.len() + ":-".len()..])),
                None => (&after[..closed], None),
            };
            let name = name.strip_prefix("env:").unwrap_or(name);
            let value = if is_used { lookup(name) } else { None };
            match (value, default) {
                (Some(value), None) => expanded.text.push_str(&value),
                (Some(value), Some(_)) if !value.is_empty() => {
                    expanded.text.push_str(&value);
                    open.push(false);
                }
                (_, Some(_)) => open.push(is_used),
                (None, None) if !is_used => {}
                (None, None) if name.contains(':') => return Err(ExpandError::OfEditors(name.to_owned())),
                (None, None) => return Err(ExpandError::NotSet(name.to_owned())),
            }
            rest = default.unwrap_or(&after[closed + 1..]);
        } else if let Some(after) = rest.strip_prefix('}') {
            open.pop();
            rest = after;
        } else if open.is_empty() {
            return Ok(expanded);
        } else {
            return Err(ExpandError::NotClosed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, ExpandError> {
        expand(text, |name| match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_replaced_in_each_spelling() {
        assert_eq!(expanded("x${A}-${env:A}-${A:-2}-${B:-2}-$A-{A}$").unwrap(), "x1-1-1-2-$A-{A}$");
    }

    #[test]
    fn a_default_has_variables_in_it_and_stands_for_what_is_empty_too() {
        for (text, wanted) in [
            ("<${B:-${A}}>", "<1>"),
            ("<${B:-x${C:-y${A}z}}>", "<xy1z>"),
            ("<${A:-${NOPE}}>", "<1>"),
            ("<${A:-x${B:-y}z}>", "<1>"),
            ("<${EMPTY:-d}${EMPTY}>", "<d>"),
            ("<${B:-}${B:-{}>", "<{>"),
        ] {
            assert_eq!(expanded(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(expanded("${B:-${C}}"), Err(ExpandError::NotSet("C".to_owned())));
        assert_eq!(expanded("${B:-${A}"), Err(ExpandError::NotClosed));
    }

    #[test]
    fn it_is_known_whether_a_default_says_something_of_its_own() {
        for (text, wanted) in [
            ("a${A}b", false),
            ("${A:-}", false),
            ("${A:-${B:-}}", false),
            ("${A:-x}", true),
            ("${A:-${B:-x}}", true),
        ] {
            let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
            assert_eq!(super::expanded(text, lookup).unwrap().has_default, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_set_is_named_and_what_is_not_closed_is_told() {
        assert_eq!(expanded("${B}"), Err(ExpandError::NotSet("B".to_owned())));
        assert_eq!(expanded("${input:b}"), Err(ExpandError::OfEditors("input:b".to_owned())));
        assert_eq!(expanded("s3cret ${A"), Err(ExpandError::NotClosed));
        assert_eq!(
            expanded("${env:B}").unwrap_err().to_string(),
            "the environment variable B is not set; set it, or write ${B:-DEFAULT} where that is no secret"
        );
    }
}
