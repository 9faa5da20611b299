//! Typed values that layers and transports attach to a call.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A type map that layers and transports use to attach data to a call.
///
/// Cloning is one `Arc` clone, whatever the size; values inserted later are not seen by earlier clones.
///
/// The extensions of an HTTP request can be inserted as a whole, and their values are found like all others:
///
/// ```
/// use crossway_service::Extensions;
///
/// let mut of_request = http::Extensions::new();
/// of_request.insert("beside");
/// let mut extensions = Extensions::from(of_request);
/// extensions.insert(7_u8);
/// assert_eq!(extensions.get::<&str>(), Some(&"beside"));
/// assert_eq!(extensions.get::<u8>(), Some(&7));
/// assert_eq!(extensions.get::<u16>(), None);
/// ```
#[derive(Clone, Default)]
pub struct Extensions(Option<Arc<Node>>);

struct Node {
    before: Extensions,
    /// A bit for the type of this value and of each earlier one. A search for a missing type mostly ends
    /// here.
    types: u64,
    /// The type of the value, so that a search compares numbers and calls nothing.
    type_id: TypeId,
    /// Whether the value holds the extensions of an HTTP request, which are searched too.
    is_of_request: bool,
    type_name: &'static str,
    /// Boxed separately: a search over nodes of one size computes no offsets.
    value: Box<dyn Any + Send + Sync>,
}

impl Extensions {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts a value. An earlier one of the same type is no longer found.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let (type_id, type_name) = (TypeId::of::<T>(), type_name::<T>());
        let is_of_request = type_id == TypeId::of::<http::Extensions>();
        let before = std::mem::take(self);
        let types = before.types() | if is_of_request { u64::MAX } else { bit(type_id) };
        let value = Box::new(value);
        self.0 = Some(Arc::new(Node { before, types, type_id, is_of_request, type_name, value }));
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let wanted = TypeId::of::<T>();
        if self.types() & bit(wanted) == 0 {
            return None;
        }
        self.nodes().find_map(|node| {
            if node.type_id == wanted {
                node.value.downcast_ref()
            } else if node.is_of_request {
                node.value.downcast_ref::<http::Extensions>().and_then(http::Extensions::get)
            } else {
                None
            }
        })
    }

    fn types(&self) -> u64 {
        self.0.as_ref().map_or(0, |node| node.types)
    }

    /// Whether it has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.0.as_deref(), |node| node.before.0.as_deref())
    }
}

/// The bit of a type: one of 64, which other types may share.
fn bit(type_id: TypeId) -> u64 {
    /// Takes the number that a type's id hashes, which is spread well already.
    #[derive(Default)]
    struct Last(u64);

    impl Hasher for Last {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
            }
        }

        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }
    }

    let mut hasher = Last::default();
    type_id.hash(&mut hasher);
    1 << (hasher.finish() % 64)
}

/// The value of a type that an HTTP request carries: directly, or in [`Extensions`] among its own.
///
/// Values that are the same for many requests can be put into extensions once, and a clone of those into each
/// request: then one value is moved instead of many. When a call is made from the request, all of it becomes
/// the call's own.
///
/// ```
/// use crossway_service::{Extensions, extension_of};
///
/// let mut of_caller = Extensions::new();
/// of_caller.insert("beside");
/// let mut of_request = http::Extensions::new();
/// of_request.insert(of_caller);
/// assert_eq!(extension_of(&of_request), Some(&"beside"));
/// assert_eq!(Extensions::from(of_request).get(), Some(&"beside"));
/// ```
#[must_use]
pub fn extension_of<T: Send + Sync + 'static>(request: &http::Extensions) -> Option<&T> {
    request.get().or_else(|| request.get::<Extensions>()?.get())
}

impl From<http::Extensions> for Extensions {
    fn from(mut extensions: http::Extensions) -> Self {
        let mut all = extensions.remove::<Self>().unwrap_or_default();
        if !extensions.is_empty() {
            all.insert(extensions);
        }
        all
    }
}

impl fmt::Debug for Extensions {
    /// Shows the types of the values and never the values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes().map(|node| node.type_name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_later_hides_what_was_there_and_clones_do_not_see_it() {
        let mut extensions = Extensions::new();
        assert!(extensions.is_empty());
        extensions.insert(1_u8);
        let before = extensions.clone();
        extensions.insert(2_u8);
        extensions.insert('c');
        assert_eq!((before.get(), before.get::<char>()), (Some(&1_u8), None));
        assert_eq!((extensions.get(), extensions.get()), (Some(&2_u8), Some(&'c')));
        assert_eq!(format!("{extensions:?}"), r#"["char", "u8", "u8"]"#);
    }

    #[test]
    fn types_that_are_not_there_are_not_found_whatever_else_is() {
        macro_rules! each {
            ($($number:literal)*) => {{
                let mut extensions = Extensions::new();
                $(
                    assert!(extensions.get::<[u8; $number]>().is_none());
                    extensions.insert([7_u8; $number]);
                )*
                $(assert_eq!(extensions.get::<[u8; $number]>(), Some(&[7_u8; $number]));)*
                assert!(extensions.get::<u8>().is_none());
            }};
        }
        each!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    }

    #[test]
    fn what_came_with_a_request_is_found_unless_something_newer_hides_it() {
        assert!(Extensions::from(http::Extensions::new()).is_empty());
        let mut of_request = http::Extensions::new();
        of_request.insert(1_u8);
        of_request.insert('c');
        let mut extensions = Extensions::from(of_request);
        extensions.insert(2_u8);
        assert_eq!((extensions.get(), extensions.get()), (Some(&2_u8), Some(&'c')));
    }

    #[test]
    fn what_was_made_ready_for_a_request_is_found_behind_what_is_its_own() {
        let (mut ready, mut of_request) = (Extensions::new(), http::Extensions::new());
        ready.insert(1_u8);
        ready.insert('c');
        of_request.insert(ready);
        assert_eq!(extension_of(&of_request), Some(&1_u8));
        assert_eq!(format!("{:?}", Extensions::from(of_request.clone())), r#"["char", "u8"]"#);
        of_request.insert(2_u8);
        assert_eq!(extension_of(&of_request), Some(&2_u8));
        let extensions = Extensions::from(of_request);
        assert_eq!((extensions.get(), extensions.get()), (Some(&2_u8), Some(&'c')));
    }
}
