//! Routes request paths.

use http::Method;
use percent_encoding::percent_decode_str;

use super::problem::Problem;

/// Names that belong to MCP where it is served beside the face: tools with such a name are at `/{name}/call` then.
const OF_MCP: [&str; 3] = ["mcp", "sse", "message"];

/// The suffix of the path of a tool with such a name.
const CALL: &str = "/call";

/// A tool's path in a document; `segment` is its name, encoded for a path.
pub(crate) fn of_tool(name: &str, segment: &str, is_beside_mcp: bool) -> String {
    let behind = if is_beside_mcp && OF_MCP.contains(&name) { CALL } else { "" };
    format!("/{segment}{behind}")
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The document.
    Document,
    /// A file of the `/docs` page.
    Docs(Asset),
    /// A tool.
    Tool(String),
}

/// A file of the `/docs` page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    Page,
    Script,
    Style,
}

impl Route {
    /// Routes the rest of a path, below one upstream.
    ///
    /// # Errors
    ///
    /// 404 for a path with nothing there, 405 for a method that the path does not take.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, Problem> {
        if let Some(route) = Self::of_document(method, path)? {
            return Ok(route);
        }
        let rest = path.strip_prefix('/');
        let of_mcp = rest.and_then(|rest| rest.strip_suffix(CALL)).filter(|name| OF_MCP.contains(name));
        let segment = of_mcp.or(rest).filter(|segment| !segment.is_empty() && !segment.contains('/'));
        let name = segment.and_then(|segment| percent_decode_str(segment).decode_utf8().ok());
        let name = name.ok_or_else(nothing)?;
        if *method == Method::POST {
            Ok(Self::Tool(name.into_owned()))
        } else {
            Err(Problem::not_allowed("POST"))
        }
    }

    /// Routes to the document or the `/docs` page, which a directory has too; `None` for any other path.
    ///
    /// # Errors
    ///
    /// 405 for a method that the path does not take.
    pub(crate) fn of_document(method: &Method, path: &str) -> Result<Option<Self>, Problem> {
        let route = match path {
            "/openapi.json" => Self::Document,
            "/docs" => Self::Docs(Asset::Page),
            "/docs/app.js" => Self::Docs(Asset::Script),
            "/docs/app.css" => Self::Docs(Asset::Style),
            _ => return Ok(None),
        };
        match *method {
            Method::GET | Method::HEAD => Ok(Some(route)),
            // A tool may have this name.
            Method::POST if !path[1..].contains('/') => Ok(None),
            _ => Err(Problem::not_allowed("GET")),
        }
    }

    pub(crate) fn is_document(&self) -> bool {
        !matches!(self, Self::Tool(_))
    }
}

/// The error for a path with nothing there.
pub(crate) fn nothing() -> Problem {
    Problem::new(
        http::StatusCode::NOT_FOUND,
        "nothing is here: the document is at openapi.json, a page about it at docs, and each tool takes POST at its name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_documents_and_tools() {
        let of = |method: Method, path| Route::of(&method, path).map_err(|problem| problem.status.as_u16());
        assert_eq!(of(Method::GET, "/openapi.json").unwrap(), Route::Document);
        assert_eq!(of(Method::HEAD, "/docs").unwrap(), Route::Docs(Asset::Page));
        assert_eq!(of(Method::POST, "/get%20it").unwrap(), Route::Tool("get it".to_owned()));
        assert_eq!(of(Method::POST, "/docs").unwrap(), Route::Tool("docs".to_owned()));
        assert_eq!(of(Method::POST, "/mcp/call").unwrap(), Route::Tool("mcp".to_owned()));
        assert_eq!(of(Method::POST, "/sse").unwrap(), Route::Tool("sse".to_owned()));
        for (method, path, status) in [
            (Method::GET, "/echo", 405),
            (Method::POST, "/echo/call", 404),
            (Method::GET, "/mcp/call", 405),
            (Method::DELETE, "/openapi.json", 405),
            (Method::POST, "/docs/app.js", 405),
            (Method::POST, "/", 404),
            (Method::POST, "/a/b", 404),
            (Method::POST, "/%ff", 404),
            (Method::GET, "", 404),
        ] {
            assert_eq!(of(method, path).unwrap_err(), status, "{path}");
        }
    }
}
