//! Expands environment variables in texts of the user.

/// What is wrong with the variables in a text. It never shows the text, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// `${` without its `}`.
    #[error("a ${{ is without its }}")]
    NotClosed,
    /// A variable is not set, and the text has no default for it.
    #[error("the environment variable {0} is not set; set it, or write ${{{0}:-DEFAULT}}")]
    NotSet(String),
    /// It names what editors fill in, such as `${input:key}` of VS Code.
    #[error(
        "${{{0}}} is filled in by an editor; write an environment variable in its place, such as ${{KEY}}"
    )]
    OfEditors(String),
}

/// Puts values in the place of `${NAME}`, `${env:NAME}` and `${NAME:-DEFAULT}`; `lookup` gives a variable's value.
///
/// # Errors
///
/// When a variable is not set, or `${` has no `}`.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once("${") {
        let (inside, after) = after.split_once('}').ok_or(ExpandError::NotClosed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let name = name.strip_prefix("env:").unwrap_or(name);
        expanded.push_str(plain);
        match (lookup(name), default) {
            (Some(value), _) => expanded.push_str(&value),
            (None, Some(default)) => expanded.push_str(default),
            (None, None) if name.contains(':') => return Err(ExpandError::OfEditors(name.to_owned())),
            (None, None) => return Err(ExpandError::NotSet(name.to_owned())),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, ExpandError> {
        expand(text, |name| (name == "A").then(|| "1".to_owned()))
    }

    #[test]
    fn variables_are_replaced_in_each_spelling() {
        assert_eq!(expanded("x${A}-${env:A}-${A:-2}-${B:-2}-$A-{A}$").unwrap(), "x1-1-1-2-$A-{A}$");
    }

    #[test]
    fn what_is_not_set_is_named_and_what_is_not_closed_is_told() {
        assert_eq!(expanded("${B}"), Err(ExpandError::NotSet("B".to_owned())));
        assert_eq!(expanded("${input:b}"), Err(ExpandError::OfEditors("input:b".to_owned())));
        assert_eq!(expanded("s3cret ${A"), Err(ExpandError::NotClosed));
        assert_eq!(
            expanded("${env:B}").unwrap_err().to_string(),
            "the environment variable B is not set; set it, or write ${B:-DEFAULT}"
        );
    }
}
