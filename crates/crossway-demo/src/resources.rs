//! The demo resources and their template.

use rmcp::model::{CacheScope, ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::{
    demo::Demo,
    limits::FRESH,
    media::{PNG, PNG_TYPE},
};

/// The resource that changes.
pub(crate) const WATCHED: &str = "test://watched-resource";
/// The resource in the result of `test_embedded_resource`.
pub(crate) const EMBEDDED: &str = "test://embedded-resource";
/// The resource in the result of `test_multiple_content_types`.
pub(crate) const MIXED: &str = "test://mixed-content-resource";
/// The template.
pub(crate) const TEMPLATE: &str = "test://template/{id}/data";

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const JSON_TYPE: &str = "application/json";
const TEXT_TYPE: &str = "text/plain";

/// URI, name, description, media type.
const LISTED: &[(&str, &str, &str, &str)] = &[
    (TEXT, "Static text", "A text that never changes", TEXT_TYPE),
    (BINARY, "Static picture", "A picture that never changes", PNG_TYPE),
    (WATCHED, "Watched resource", "A text that test_trigger_resource_update changes", TEXT_TYPE),
    (EMBEDDED, "Embedded resource", "What test_embedded_resource returns", TEXT_TYPE),
    (MIXED, "Mixed content resource", "What test_multiple_content_types returns", JSON_TYPE),
];

/// All resources, as in `resources/list`.
pub(crate) fn list() -> Vec<Resource> {
    let resource = |&(uri, name, about, kind): &(&str, &str, &str, &str)| {
        Resource::new(uri, name).with_description(about).with_mime_type(kind)
    };
    LISTED.iter().map(resource).collect()
}

/// All templates, as in `resources/templates/list`.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let about = "A small document with the id that was asked for";
    vec![ResourceTemplate::new(TEMPLATE, "Template").with_description(about).with_mime_type(JSON_TYPE)]
}

/// Whether there is a resource with this URI.
pub(crate) fn exists(uri: &str) -> bool {
    LISTED.iter().any(|(listed, ..)| *listed == uri) || template_id(uri).is_some()
}

/// The contents of a resource.
///
/// rmcp converts the error for an unknown one to the code of the request's revision: -32002, or from 2026-07-28 on -32602.
pub(crate) fn contents(demo: &Demo, uri: &str) -> Result<ResourceContents, ErrorData> {
    let text = |text: String, kind: &str| Ok(ResourceContents::text(text, uri).with_mime_type(kind));
    match uri {
        TEXT => text("This is the content of the static text resource.".to_owned(), TEXT_TYPE),
        BINARY => Ok(ResourceContents::blob(PNG, uri).with_mime_type(PNG_TYPE)),
        WATCHED => text(format!("Version {} of the watched resource.", demo.server.version()), TEXT_TYPE),
        EMBEDDED => text("This is an embedded resource content.".to_owned(), TEXT_TYPE),
        MIXED => text(r#"{"test":"data","value":123}"#.to_owned(), JSON_TYPE),
        _ => match template_id(uri) {
            Some(id) => {
                let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                text(data.to_string(), JSON_TYPE)
            }
            None => Err(unknown(uri)),
        },
    }
}

/// The answer to `resources/read`. The watched resource may change at any time, so it must not be cached.
pub(crate) fn read(demo: &Demo, uri: &str) -> Result<(ReadResourceResult, u64), ErrorData> {
    let fresh = if uri == WATCHED { 0 } else { fresh_ms() };
    Ok((ReadResourceResult::new(vec![contents(demo, uri)?]), fresh))
}

/// The error for a URI that no resource has.
pub(crate) fn unknown(uri: &str) -> ErrorData {
    ErrorData::resource_not_found("there is no such resource", Some(json!({ "uri": uri })))
}

/// How long lists and static resources may be cached, in milliseconds.
pub(crate) fn fresh_ms() -> u64 {
    u64::try_from(FRESH.as_millis()).unwrap_or(u64::MAX)
}

/// Public: the demo's results do not depend on the caller.
pub(crate) const SCOPE: CacheScope = CacheScope::Public;

/// The id in a URI made by the template: one path segment.
fn template_id(uri: &str) -> Option<&str> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Era;

    #[test]
    fn every_listed_resource_can_be_read_under_its_media_type() {
        for resource in list() {
            let contents = contents(&Demo::new(Era::Both), &resource.uri).unwrap();
            let (ResourceContents::TextResourceContents { uri, mime_type, .. }
            | ResourceContents::BlobResourceContents { uri, mime_type, .. }) = contents
            else {
                panic!("neither text nor blob")
            };
            assert_eq!((uri, mime_type), (resource.uri, resource.mime_type));
        }
    }

    #[test]
    fn a_template_takes_one_segment() {
        assert!(exists("test://template/123/data"));
        for uri in
            ["test://template//data", "test://template/1/2/data", "test://template/1", "test://nothing"]
        {
            assert!(!exists(uri), "{uri}");
        }
    }
}
