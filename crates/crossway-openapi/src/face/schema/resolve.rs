//! Replaces references by the schemas that they point to.

use std::collections::{HashMap, HashSet};

use super::keywords::{Holds, is_annotation, is_of_others, is_reference};
use super::places::{Place, Places};
use crate::face::limits::{SCHEMA_DEPTH, SCHEMA_PLACE_BYTES, SCHEMA_PLACES};
use crate::face::tree::{Object, Tree};
use crate::face::written::Written;

/// The schemas of a document that are the targets of references, by name.
#[derive(Debug, Default)]
pub(crate) struct Components {
    schemas: Written,
    taken: HashSet<String>,
}

impl Components {
    /// Returns them as `components.schemas`.
    pub(crate) fn into_written(self) -> Written {
        self.schemas
    }

    /// How many bytes their schemas have.
    pub(crate) fn len(&self) -> usize {
        self.schemas.len()
    }

    /// Takes back the schemas that were added after these had `len` bytes. Their names stay taken.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.schemas.truncate(len);
    }

    /// Adds a schema under this name, unless the name is taken.
    pub(crate) fn add(&mut self, name: &str, schema: Tree) {
        if self.taken.insert(name.to_owned()) {
            self.schemas.push(name, &schema);
        }
    }

    /// Claims a name that is free: "all keys must match `^[a-zA-Z0-9\.\-_]+$`" (OpenAPI 3.1, Components Object).
    fn claim(&mut self, wanted: &str) -> String {
        let can_be = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let wanted: String = wanted.chars().map(can_be).collect();
        let mut name = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    }
}

/// Returns a schema whose only references are to `components`, with names that begin with `prefix`. A schema that can't be resolved within
/// bounds becomes one that accepts everything.
pub(crate) fn resolve(schema: &Tree, prefix: &str, components: &mut Components) -> Tree {
    let places = Places::of(schema);
    for (puts_in, budget) in [(true, SCHEMA_PLACES), (false, 4 * SCHEMA_PLACES)] {
        let mut resolving = Resolving {
            places: &places,
            is_old: is_old(schema),
            puts_in,
            left: budget,
            depth: 0,
            prefix,
            components,
            names: HashMap::new(),
            wanted: Vec::new(),
        };
        if let Ok((resolved, used)) = resolving.all(schema) {
            used.into_iter().for_each(|(name, schema)| components.schemas.push(&name, &schema));
            return resolved;
        }
        for given_up in resolving.names.into_values() {
            components.taken.remove(&given_up);
        }
    }
    Tree::Object(Object::new())
}

/// Whether a schema is written as in drafts 4 to 7.
fn is_old(schema: &Tree) -> bool {
    let dialect = schema.as_object().and_then(|schema| schema.get("$schema")).and_then(Tree::as_text);
    dialect.is_some_and(|dialect| {
        ["draft-04", "draft-06", "draft-07"].iter().any(|draft| dialect.contains(draft))
    })
}

/// The schema would have too many places.
struct TooLarge;

struct Resolving<'a, 'c> {
    places: &'c Places<'a>,
    /// Whether keywords beside a reference are ignored, and tuples are written as `items`, as in drafts 4 to 7.
    is_old: bool,
    /// Whether references are replaced by their targets where possible.
    puts_in: bool,
    /// How many places may still be written.
    left: usize,
    /// The current nesting depth.
    depth: usize,
    prefix: &'c str,
    components: &'c mut Components,
    /// The names of components, by the key of their schema.
    names: HashMap<usize, String>,
    /// Components that are still to be written.
    wanted: Vec<(String, Place<'a>)>,
}

impl<'a> Resolving<'a, '_> {
    fn all(&mut self, schema: &'a Tree) -> Result<(Tree, Vec<(String, Tree)>), TooLarge> {
        let root = Place::root(schema);
        let resolved = self.schema(root, &mut vec![root.key()])?;
        let mut components = Vec::new();
        while let Some((name, place)) = self.wanted.pop() {
            let schema = self.schema(place, &mut vec![place.key()])?;
            components.push((name, schema));
        }
        Ok((resolved, components))
    }

    /// Writes a schema. `within` holds the keys of the schemas around it.
    fn schema(&mut self, place: Place<'a>, within: &mut Vec<usize>) -> Result<Tree, TooLarge> {
        self.spend(1)?;
        let object = match place.schema {
            Tree::Object(object) => object,
            Tree::Bool(fits) => return Ok(whole(*fits)),
            // Not a schema; the server may know what it means.
            _ => return Ok(whole(true)),
        };
        self.depth += 1;
        let mut written = Object::new();
        let mut referred = Vec::new();
        let has_reference = object.iter().any(|(keyword, _)| is_reference(keyword));
        for (keyword, value) in object.iter() {
            if is_reference(keyword) {
                referred.push(self.reference(place, value, within)?);
                continue;
            }
            if self.is_old && has_reference && !is_annotation(keyword) {
                continue;
            }
            self.keyword(place, keyword, value, within, &mut written)?;
        }
        self.depth -= 1;
        if self.is_old {
            modernize(&mut written);
        }
        Ok(joined(referred, written))
    }

    fn keyword(
        &mut self,
        place: Place<'a>,
        keyword: &str,
        value: &'a Tree,
        within: &mut Vec<usize>,
        written: &mut Object,
    ) -> Result<(), TooLarge> {
        let value = match (Holds::of(keyword), value) {
            (Holds::Name | Holds::Definitions, _) => return Ok(()),
            // For these keywords every reader knows `true` and `false`, and some accept nothing else.
            (Holds::One, Tree::Bool(_)) if is_of_others(keyword) => value.clone(),
            (Holds::List | Holds::OneOrList, Tree::List(list)) => {
                let schemas = list.iter().map(|schema| self.schema(place.inside(schema), within));
                Tree::List(schemas.collect::<Result<_, _>>()?)
            }
            (Holds::One | Holds::OneOrList, schema) => self.schema(place.inside(schema), within)?,
            (Holds::Map | Holds::Dependencies, Tree::Object(schemas)) => {
                let mut all = Object::new();
                for (name, schema) in schemas.iter() {
                    self.spend(name.len() / SCHEMA_PLACE_BYTES)?;
                    let schema = match schema {
                        Tree::List(_) => {
                            self.spend(schema.bytes() / SCHEMA_PLACE_BYTES)?;
                            schema.clone()
                        }
                        schema => self.schema(place.inside(schema), within)?,
                    };
                    all.push(name, schema);
                }
                all.into()
            }
            (_, value) => {
                self.spend(value.bytes() / SCHEMA_PLACE_BYTES)?;
                value.clone()
            }
        };
        written.push(keyword, value);
        Ok(())
    }

    fn spend(&mut self, places: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(places).ok_or(TooLarge)?;
        Ok(())
    }

    /// Writes the replacement of a reference.
    fn reference(
        &mut self,
        from: Place<'a>,
        reference: &Tree,
        within: &mut Vec<usize>,
    ) -> Result<Tree, TooLarge> {
        let Some(target) = reference.as_text().and_then(|reference| self.places.find(from, reference)) else {
            return Ok(whole(true));
        };
        if self.puts_in && self.depth <= SCHEMA_DEPTH && !within.contains(&target.key()) {
            within.push(target.key());
            let schema = self.schema(target, within);
            within.pop();
            return schema;
        }
        let name = match self.names.get(&target.key()) {
            Some(name) => name.clone(),
            None => {
                let last = reference.as_text().and_then(|reference| reference.rsplit(['/', '#']).next());
                let wanted = match last {
                    Some(last) if !last.is_empty() => format!("{}_{last}", self.prefix),
                    _ => self.prefix.to_owned(),
                };
                let name = self.components.claim(&wanted);
                self.names.insert(target.key(), name.clone());
                self.wanted.push((name.clone(), target));
                name
            }
        };
        let reference = format!("#/components/schemas/{name}");
        Ok(Object::new().with("$ref", Tree::Text(reference)).into())
    }
}

/// A schema that accepts everything, or nothing. `true` and `false` would do, but break readers that look for members in a schema.
fn whole(fits: bool) -> Tree {
    let all = Object::new();
    if fits { all.into() } else { Object::new().with("not", all.into()).into() }
}

/// Combines a schema with the targets of its references.
fn joined(mut referred: Vec<Tree>, mut written: Object) -> Tree {
    if referred.is_empty() {
        return written.into();
    }
    // An annotation, or a type that the target repeats or lacks, does not change the meaning of the target's other keywords.
    let is_beside = |only: &Object| {
        written.iter().all(|(keyword, value)| {
            is_annotation(keyword)
                || keyword == "type" && only.get(keyword).is_none_or(|other| other == value)
        })
    };
    if let [Tree::Object(only)] = &referred[..]
        && is_beside(only)
        && let Some(Tree::Object(mut only)) = referred.pop()
    {
        // Annotations beside a reference describe this use of the schema.
        written.iter().for_each(|(keyword, value)| only.set(keyword, value.clone()));
        return only.into();
    }
    if let Some(Tree::List(also)) = written.get("allOf") {
        referred.extend(also.iter().cloned());
    }
    written.set("allOf", Tree::List(referred));
    written.into()
}

/// Rewrites keywords of drafts 4 to 7 as their successors of 2019-09 and 2020-12.
fn modernize(schema: &mut Object) {
    let mut modern = Object::new();
    let is_list = matches!(schema.get("items"), Some(Tree::List(_)));
    for (keyword, value) in schema.iter() {
        match (keyword, value) {
            ("items", Tree::List(_)) => modern.push("prefixItems", value.clone()),
            ("additionalItems", _) if is_list => modern.push("items", value.clone()),
            // Without a list of items it has no effect.
            ("additionalItems", _) => {}
            ("dependencies", Tree::Object(dependencies)) => {
                let (mut required, mut schemas) = (Object::new(), Object::new());
                for (name, needed) in dependencies.iter() {
                    let group = if matches!(needed, Tree::List(_)) { &mut required } else { &mut schemas };
                    group.push(name, needed.clone());
                }
                for (keyword, group) in [("dependentRequired", required), ("dependentSchemas", schemas)] {
                    if !group.is_empty() {
                        modern.push(keyword, group.into());
                    }
                }
            }
            // Draft 4: whether the limit itself is excluded.
            ("exclusiveMinimum" | "exclusiveMaximum", Tree::Bool(_)) => {}
            ("minimum" | "maximum", _) => {
                let exclusive = if keyword == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                let is_exclusive = schema.get(exclusive) == Some(&Tree::Bool(true));
                modern.push(if is_exclusive { exclusive } else { keyword }, value.clone());
            }
            _ => modern.push(keyword, value.clone()),
        }
    }
    *schema = modern;
}
