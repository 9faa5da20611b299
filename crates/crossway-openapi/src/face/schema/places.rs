//! Finds the schemas that references point to.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::keywords::Holds;
use crate::face::tree::Tree;

/// A schema, and its base for references: the nearest enclosing schema with an `$id`.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) schema: &'a Tree,
    root: &'a Tree,
}

impl<'a> Place<'a> {
    /// A schema that is its own base.
    pub(super) fn root(schema: &'a Tree) -> Self {
        Self { schema, root: schema }
    }

    /// The place of a subschema.
    pub(super) fn inside(self, schema: &'a Tree) -> Self {
        let root = if id_of(schema).is_some() { schema } else { self.root };
        Self { schema, root }
    }

    /// Identifies the schema within its document.
    pub(super) fn key(self) -> usize {
        address(self.schema)
    }
}

/// The names (`$id`s and anchors) of a document's schemas.
#[derive(Default)]
pub(super) struct Places<'a> {
    ids: HashMap<&'a str, &'a Tree>,
    anchors: HashMap<(usize, &'a str), Place<'a>>,
}

impl<'a> Places<'a> {
    /// Collects all names.
    pub(super) fn of(document: &'a Tree) -> Self {
        let mut places = Self::default();
        let mut left = vec![Place::root(document)];
        while let Some(place) = left.pop() {
            let Some(object) = place.schema.as_object() else { continue };
            if let Some(id) = id_of(place.schema) {
                places.ids.entry(id).or_insert(place.schema);
            }
            for (keyword, value) in object.iter() {
                if let ("$anchor" | "$dynamicAnchor", Some(name)) = (keyword, value.as_text()) {
                    places.anchors.entry((address(place.root), name)).or_insert(place);
                }
                match (Holds::of(keyword), value) {
                    (Holds::One | Holds::OneOrList, Tree::Object(_)) => left.push(place.inside(value)),
                    (Holds::List | Holds::OneOrList, Tree::List(list)) => {
                        left.extend(list.iter().map(|schema| place.inside(schema)));
                    }
                    (Holds::Map | Holds::Dependencies | Holds::Definitions, Tree::Object(schemas)) => {
                        left.extend(schemas.iter().map(|(_, schema)| place.inside(schema)));
                    }
                    _ => {}
                }
            }
        }
        places
    }

    /// Resolves a reference; `None` if its target is not in this document.
    pub(super) fn find(&self, from: Place<'a>, reference: &str) -> Option<Place<'a>> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let root = match document {
            "" => from.root,
            id => self.ids.get(id).copied()?,
        };
        let fragment = percent_decode_str(fragment).decode_utf8().ok()?;
        match fragment.strip_prefix('/') {
            None if fragment.is_empty() => Some(Place::root(root)),
            None => self.anchors.get(&(address(root), &*fragment)).copied(),
            Some(pointer) => pointer.split('/').try_fold(Place::root(root), |place, segment| {
                let segment = segment.replace("~1", "/").replace("~0", "~");
                Some(place.inside(place.schema.at(&segment)?))
            }),
        }
    }
}

/// A schema's `$id`, without an empty fragment.
fn id_of(schema: &Tree) -> Option<&str> {
    let id = schema.as_object()?.get("$id")?.as_text()?;
    let id = id.strip_suffix('#').unwrap_or(id);
    (!id.is_empty() && !id.starts_with('#')).then_some(id)
}

fn address(tree: &Tree) -> usize {
    std::ptr::from_ref(tree).addr()
}
