//! Which upstream a URI belongs to.

use std::sync::Arc;

use crossway_proto::Message;
use crossway_service::Context;

use super::Router;
use crate::known::{Known, ListKind};

impl Router {
    /// The upstream that a URI belongs to: the one that lists it, or else the one whose template fits it best, or else the
    /// only one that has resources at all.
    pub(super) async fn owner(&self, uri: &str, request: &Message, context: &Context) -> Option<Arc<Known>> {
        let members = self.members();
        let mut best: Option<(usize, Arc<Known>)> = None;
        let mut with_resources = Vec::new();
        for member in &members.all {
            let Ok(resources) = member.list(ListKind::Resources, request, context).await else { continue };
            if resources.iter().any(|item| item.name == uri) {
                return Some(Arc::clone(member));
            }
            let templates = member.list(ListKind::Templates, request, context).await.unwrap_or_default();
            for template in templates.iter().filter(|template| fits(&template.name, uri)) {
                let length = literal(&template.name).len();
                if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
                    best = Some((length, Arc::clone(member)));
                }
            }
            if !resources.is_empty() || !templates.is_empty() {
                with_resources.push(Arc::clone(member));
            }
        }
        let only = if with_resources.len() == 1 { with_resources.pop() } else { None };
        best.map(|(_, member)| member).or(only)
    }
}

/// What stands before a template's first expression (RFC 6570).
fn literal(template: &str) -> &str {
    template.split('{').next().unwrap_or_default()
}

/// Whether a URI can be one of a template's: it begins and ends as the template does.
fn fits(template: &str, uri: &str) -> bool {
    let end = template.rsplit('}').next().unwrap_or_default();
    template == uri
        || template.contains('{')
            && uri.len() >= literal(template).len() + end.len()
            && uri.starts_with(literal(template))
            && uri.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_what_begins_and_ends_as_it_does() {
        for (template, uri, is_fitting) in [
            ("file:///{path}", "file:///a/b", true),
            ("file:///{path}", "https:///a", false),
            ("test://{id}/data", "test://1/data", true),
            ("test://{id}/data", "test://1/other", false),
            ("test://{id}/data", "test://data", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(fits(template, uri), is_fitting, "{template} {uri}");
        }
    }
}
