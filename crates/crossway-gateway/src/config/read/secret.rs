//! Secrets: from the environment, from files, or standing in the config itself.

use std::fs::File;
use std::io::Read;

use super::super::limits;
use super::super::problem::Problem;
use super::super::tree::Text;
use super::Context;
use super::error::ReadError;

/// The name under which a type asks for what may be a secret: `file:PATH` is read.
pub(in crate::config) const HIDDEN: &str = "$crossway::Hidden";

/// What a text stands for.
pub(super) fn value(
    text: &Text,
    at: usize,
    is_secret: bool,
    context: &Context<'_>,
) -> Result<String, ReadError> {
    // `file:///..` is a URL, as databases have them.
    if let Some(path) = text.text.strip_prefix("file:").filter(|path| !path.starts_with("//")) {
        return from_file(path, context);
    }
    if is_secret {
        if text.text.is_empty() {
            return Err(ReadError::new(Problem::EmptySecret));
        }
        if !text.is_expanded {
            context.found.borrow_mut().literal.insert(at);
        }
    }
    Ok(text.text.clone())
}

fn from_file(path: &str, context: &Context<'_>) -> Result<String, ReadError> {
    let file = context.folder.join(path);
    let fail = |reason: String| Err(ReadError::new(Problem::SecretFile { file: file.clone(), reason }));
    context.watch(&file);
    let mut text = String::new();
    let read =
        File::open(&file).and_then(|file| file.take(limits::SECRET_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => fail(error.to_string()),
        Ok(read) if read as u64 > limits::SECRET_BYTES => {
            fail(format!("it has more than {} bytes", limits::SECRET_BYTES))
        }
        Ok(_) => {
            // Editors and `echo` end a file with a line break that is no part of the secret.
            let end = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(end);
            if text.is_empty() { fail("it is empty".to_owned()) } else { Ok(text) }
        }
    }
}
