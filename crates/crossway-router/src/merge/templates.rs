//! URI templates (RFC 6570): which URIs they match, and which templates of two upstreams clash.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::limits::TEMPLATE_COMPARISONS;

/// The text before a template's first expression.
pub(super) fn literal(template: &str) -> &str {
    template.split('{').next().unwrap_or_default()
}

/// The text after a template's last expression.
fn end(template: &str) -> &str {
    template.rsplit('}').next().unwrap_or_default()
}

/// Whether a URI can match a template: it begins and ends as the template does.
pub(super) fn fits(template: &str, uri: &str) -> bool {
    let end = end(template);
    template == uri
        || template.contains('{')
            && uri.len() >= literal(template).len() + end.len()
            && uri.starts_with(literal(template))
            && uri.ends_with(end)
}

/// Whether one URI can match both templates. Only their beginnings and ends are compared, so the answer may
/// be a wrong yes.
fn have_one_in_common(one: &str, other: &str) -> bool {
    let is_either = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    match (one.contains('{'), other.contains('{')) {
        (true, true) => {
            let (one_ends, other_ends) = (end(one), end(other));
            is_either(literal(one), literal(other))
                && (one_ends.ends_with(other_ends) || other_ends.ends_with(one_ends))
        }
        (false, true) => fits(other, one),
        (_, false) => fits(one, other),
    }
}

/// The templates of earlier upstreams in a merged list.
#[derive(Default)]
pub(super) struct Earlier<'a> {
    /// By what they begin with.
    templates: BTreeMap<&'a str, Vec<&'a str>>,
    /// The lengths of their beginnings.
    lengths: BTreeSet<usize>,
    /// The templates of the upstream that is being added, which don't clash with each other.
    own: Vec<&'a str>,
    upstream: &'a str,
}

impl<'a> Earlier<'a> {
    /// Adds a template, unless one URI can match it and a template of an earlier upstream: then it is not
    /// added, and this returns true. The templates of one upstream have to be added one after the other.
    pub(super) fn clashes(&mut self, upstream: &'a str, template: &'a str) -> bool {
        if self.upstream != upstream {
            self.upstream = upstream;
            for own in self.own.drain(..) {
                self.lengths.insert(literal(own).len());
                self.templates.entry(literal(own)).or_default().push(own);
            }
        }
        let clashes = self.has_one_in_common_with(template);
        if !clashes {
            self.own.push(template);
        }
        clashes
    }

    /// Compares it with the templates that have a compatible beginning. If there are too many of them, it
    /// counts as clashing: a URI that is wrapped without need can be read all the same.
    fn has_one_in_common_with(&self, template: &str) -> bool {
        let start = literal(template);
        if self.lengths.range(..start.len()).nth(TEMPLATE_COMPARISONS).is_some() {
            return true;
        }
        let shorter = self.lengths.range(..start.len()).filter_map(|length| start.get(..*length));
        let shorter = shorter.filter_map(|start| self.templates.get(start));
        let others = self.templates.range::<str, _>((Bound::Included(start), Bound::Unbounded));
        let longer = others.take_while(|(other, _)| other.starts_with(start)).map(|(_, templates)| templates);
        let mut compared = shorter.chain(longer).flatten();
        compared.by_ref().take(TEMPLATE_COMPARISONS).any(|other| have_one_in_common(other, template))
            || compared.next().is_some()
    }
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

    #[test]
    fn two_templates_have_a_uri_in_common_if_their_beginnings_and_ends_allow_it() {
        for (one, other, have_one) in [
            ("item:///{id}", "item:///{name}", true),
            ("item:///{id}", "item:///special/{id}", true),
            ("item:///{id}", "other:///{id}", false),
            ("item:///{id}/a", "item:///{id}/b", false),
            ("item:///{id}/a", "item:///{name}{/rest*}", true),
            ("{+uri}", "item:///{id}", true),
            ("item:///x", "item:///{id}", true),
            ("item:///x", "item:///y", false),
            ("item:///x", "item:///x", true),
            ("item:///", "item:///{id}/a", false),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(have_one_in_common(one, other), have_one, "{one} {other}");
                let mut earlier = Earlier::default();
                assert!(!earlier.clashes("one", one));
                assert_eq!(earlier.clashes("two", other), have_one, "{one} {other}");
            }
        }
    }

    #[test]
    fn templates_clash_with_those_of_other_upstreams_alone() {
        let mut earlier = Earlier::default();
        assert!(!earlier.clashes("one", "item:///{id}"));
        assert!(!earlier.clashes("one", "item:///{name}"));
        assert!(earlier.clashes("two", "item:///{x}/y"));
        assert!(!earlier.clashes("two", "ürn:é/{x}"));
        assert!(earlier.clashes("three", "ürn:é/ö/{y}"));
        assert!(!earlier.clashes("three", "ürn:e/{y}"));
    }

    #[test]
    fn what_is_too_much_to_be_compared_is_taken_to_clash() {
        let many: Vec<String> = (0..3000).map(|number| format!("a:{{x}}/{number}")).collect();
        let mut earlier = Earlier::default();
        assert!(!many.iter().any(|template| earlier.clashes("one", template)));
        assert!(!earlier.clashes("two", "b:{x}/none"));
        assert!(earlier.clashes("two", "a:{x}/none"));
    }
}
