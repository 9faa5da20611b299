//! `Mcp-Param-*` headers: arguments of a tool call.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::{Refusal, single};
use super::arguments::{self, Argument};
use super::number::integer;
use super::{InvalidAnnotation, Unmirrorable, annotation, bounded, decode};

/// One argument that is mirrored, and the header that it is mirrored in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParamHeader {
    /// `Mcp-Param-` and the annotation.
    pub header: HeaderName,
    /// The names of the properties that lead to the value, from the arguments' root.
    pub path: Vec<String>,
}

/// Which arguments of a tool are mirrored in which headers: what `x-mcp-header` in its `inputSchema` says.
///
/// Make one per tool when its definition is seen, and keep it for its calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamHeaders {
    list: Vec<ParamHeader>,
}

impl ParamHeaders {
    /// Reads a tool's `inputSchema`, given as JSON text.
    ///
    /// # Errors
    ///
    /// When an annotation is invalid, which makes the tool's whole definition invalid.
    pub fn of_schema(input_schema: &[u8]) -> Result<Self, InvalidAnnotation> {
        annotation::read(input_schema).map(|list| Self { list })
    }

    /// Whether nothing is mirrored, as with most tools.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is mirrored, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &ParamHeader> {
        self.list.iter()
    }

    /// Adds the headers for a call with these arguments (JSON text; `None` if the call has none), and takes away
    /// those that stand for arguments which the call does not have.
    ///
    /// # Errors
    ///
    /// When an argument can't be mirrored: the call would be refused, and is not to be sent.
    pub fn add_headers(&self, headers: &mut HeaderMap, arguments: Option<&[u8]>) -> Result<(), Unmirrorable> {
        if self.is_empty() {
            return Ok(());
        }
        let values = arguments::read(&self.list, arguments).map_err(|_| Unmirrorable::NotJson)?;
        for (ParamHeader { header, .. }, value) in self.list.iter().zip(values) {
            let value = match value {
                None => {
                    headers.remove(header);
                    continue;
                }
                Some(Argument::Text(text)) => bounded(header, &text)?,
                Some(Argument::Integer(integer)) => HeaderValue::from(integer),
                Some(Argument::Boolean(boolean)) => {
                    HeaderValue::from_static(if boolean { "true" } else { "false" })
                }
                Some(Argument::NotPrimitive) => {
                    return Err(Unmirrorable::NotPrimitive { header: header.clone() });
                }
                Some(Argument::Repeated) => return Err(Unmirrorable::Repeated { header: header.clone() }),
            };
            headers.insert(header, value);
        }
        Ok(())
    }

    /// Checks that the headers say what a call's arguments say (JSON text; `None` if the call has none).
    ///
    /// Text and booleans are compared as they are, integers by their value. Headers that no annotation asks for are
    /// none of its business.
    ///
    /// # Errors
    ///
    /// 400 with -32020 when a header is missing, there without its argument, there twice, not to be read, or says
    /// something else; when the argument is of a kind that no header can mirror.
    pub fn check(&self, headers: &HeaderMap, arguments: Option<&[u8]>) -> Result<(), Refusal> {
        if self.is_empty() {
            return Ok(());
        }
        let Ok(values) = arguments::read(&self.list, arguments) else {
            return Err(Refusal::header_mismatch("the arguments are not valid JSON"));
        };
        for (ParamHeader { header, .. }, argument) in self.list.iter().zip(values) {
            let refuse = |what: &str| Err(Refusal::header_mismatch(format!("the {header} header {what}")));
            let said = match single::value(headers, header) {
                Err(_) => return refuse("stands in the request several times"),
                Ok(said) => match said.map(decode).transpose() {
                    Ok(said) => said,
                    Err(error) => return refuse(&format!("has {error}")),
                },
            };
            match (said, argument) {
                (None, None) => {}
                (None, Some(_)) => return refuse("is missing"),
                (Some(_), None) => return refuse("stands for an argument that the body does not have"),
                (Some(_), Some(Argument::Repeated)) => {
                    return refuse("stands for an argument that occurs twice");
                }
                (Some(said), Some(argument)) if mirrors(&said, &argument) => {}
                (Some(_), Some(_)) => return refuse("differs from its argument in the body"),
            }
        }
        Ok(())
    }
}

/// "servers **SHOULD** compare the header value and the body value numerically rather than as strings (e.g., `42.0`
/// and `42` are considered equal)", integers, that is.
fn mirrors(said: &str, argument: &Argument) -> bool {
    match argument {
        Argument::Text(text) => text == said,
        Argument::Integer(value) => integer(said) == Some(*value),
        Argument::Boolean(boolean) => said == if *boolean { "true" } else { "false" },
        Argument::NotPrimitive | Argument::Repeated => false,
    }
}

#[cfg(test)]
mod tests;
