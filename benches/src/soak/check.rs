//! Checks answers, and that they have nothing of another tenant.

use serde_json::Value;

/// What is wrong with an answer, or with its absence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// An answer has something of another tenant.
    #[error("across tenants: {0}")]
    Across(String),
    /// The answer does not belong to the request.
    #[error("wrong: {0}")]
    Wrong(String),
    /// No answer.
    #[error("lost: {0}")]
    Lost(String),
    /// An error without a known cause.
    #[error("failed: {0}")]
    Failed(String),
}

/// The mark at the beginning of every text of a tenant: its users' texts, and its secrets.
pub(crate) fn mark(tenant: usize) -> String {
    format!("~t{tenant}~")
}

/// Checks that a text has no marks of other tenants.
///
/// # Errors
///
/// When there is one.
pub(crate) fn check_marks(text: &[u8], tenant: usize) -> Result<(), Fault> {
    for start in memchr::memmem::find_iter(text, b"~t") {
        let digits = &text[start + 2..];
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || digits.get(length) != Some(&b'~') {
            continue;
        }
        if digits[..length] != *tenant.to_string().as_bytes() {
            let whose = String::from_utf8_lossy(&digits[..length]);
            return Err(Fault::Across(format!("a text of tenant {whose} came to one of tenant {tenant}")));
        }
    }
    Ok(())
}

/// The part of a response that is used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Response {
    /// The result.
    Result(Value),
    /// The error: its code, its message, and the outcome of the call, if it has that.
    Error { code: i64, message: String, outcome: Option<String> },
}

/// Reads the response to the request `id`.
///
/// # Errors
///
/// When it is not a response, or answers another request.
pub(crate) fn response(text: &[u8], id: u64) -> Result<Response, Fault> {
    let quoted = || String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let Ok(Value::Object(mut response)) = serde_json::from_slice(text) else {
        return Err(Fault::Wrong(format!("no JSON object: {}", quoted())));
    };
    let error = response.remove("error");
    // A refusal by HTTP status may have no id.
    if response.get("id") != Some(&id.into())
        && !(error.is_some() && response.get("id") == Some(&Value::Null))
    {
        return Err(Fault::Wrong(format!("asked with id {id}: {}", quoted())));
    }
    match (response.remove("result"), error) {
        (Some(result), None) => Ok(Response::Result(result)),
        (None, Some(error)) => Ok(Response::Error {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            outcome: error["data"]["outcome"].as_str().map(str::to_owned),
        }),
        _ => Err(Fault::Wrong(format!("neither a result nor an error: {}", quoted()))),
    }
}

/// The only text of a tool's result.
pub(crate) fn text_of(result: &Value) -> Option<&str> {
    match result["content"].as_array()?.as_slice() {
        [content] if result["isError"] != true => content["text"].as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_others_are_found_and_own_ones_are_not() {
        assert_eq!(check_marks(b"~t3~a~t3~ ~t~ ~t3 ~", 3), Ok(()));
        assert!(matches!(check_marks(b"~t3~ ~t31~", 3), Err(Fault::Across(_))));
        assert!(matches!(check_marks(b"x~t1~", 31), Err(Fault::Across(_))));
    }

    #[test]
    fn a_response_to_another_request_is_wrong() {
        assert!(response(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 1).is_ok());
        assert!(response(br#"{"jsonrpc":"2.0","id":"1","result":{}}"#, 1).is_err());
        assert!(response(br#"{"jsonrpc":"2.0","id":2,"result":{}}"#, 1).is_err());
        assert!(response(br#"{"jsonrpc":"2.0","id":1}"#, 1).is_err());
        let error = br#"{"id":null,"error":{"code":-31001,"message":"m","data":{"outcome":"not sent"}}}"#;
        let expected =
            Response::Error { code: -31001, message: "m".to_owned(), outcome: Some("not sent".to_owned()) };
        assert_eq!(response(error, 1), Ok(expected));
    }
}
