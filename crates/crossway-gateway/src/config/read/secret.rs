//! Resolves secrets from the environment, from files, or from the config itself.

use super::super::limits;
use super::super::problem::Problem;
use super::super::tree::Text;
use super::Context;
use super::error::ReadError;

/// The newtype name of values that may be secret, for which `file:PATH` is resolved.
pub(in crate::config) const HIDDEN: &str = "$crossway::Hidden";

/// Returns the value that a text stands for.
pub(super) fn value(
    text: &Text<'_>,
    at: usize,
    is_secret: bool,
    context: &Context<'_>,
) -> Result<String, ReadError> {
    // `file:///..` is a URL, such as databases have.
    if let Some(path) = text.text.strip_prefix("file:").filter(|path| !path.starts_with("//")) {
        let value = from_file(path, context)?;
        context.stands_for(at, &value);
        return Ok(value);
    }
    if is_secret {
        if text.text.is_empty() {
            return Err(ReadError::new(Problem::EmptySecret));
        }
        if text.is_literal() {
            context.found.borrow_mut().literal.insert(at);
        }
    }
    Ok(text.text.to_string())
}

fn from_file(path: &str, context: &Context<'_>) -> Result<String, ReadError> {
    let file = context.folder.join(path);
    let fail = |reason: String| Err(ReadError::new(Problem::SecretFile { file: file.clone(), reason }));
    let text = match context.read(&file, limits::SECRET_BYTES + 1).map(String::from_utf8) {
        Err(error) => return fail(error.to_string()),
        Ok(Err(_)) => return fail("it is not UTF-8 text".to_owned()),
        Ok(Ok(text)) if text.len() as u64 > limits::SECRET_BYTES => {
            return fail(format!("it has more than {} bytes", limits::SECRET_BYTES));
        }
        Ok(Ok(text)) => text,
    };
    // Editors may add a byte order mark at the start and, like `echo`, a line break at the end: neither belongs to the secret.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end_matches(['\r', '\n']);
    if text.is_empty() { fail("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}
