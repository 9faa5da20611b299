//! Typed values that layers and transports attach to a call.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

/// Values by their types: what layers and transports tell each other of a call.
///
/// A clone shares what was put in before it, and sees nothing of what is put in later. It costs as much as one of an `Arc`
/// however much is in: a call's context is cloned wherever the call may have to be made once more.
///
/// What an HTTP server found out about a request is taken over as a whole, and found like everything else:
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
pub struct Extensions(Option<Arc<Node<dyn Any + Send + Sync>>>);

struct Node<T: ?Sized> {
    before: Extensions,
    /// Of the value. Beside it, so that a walk compares numbers and calls nothing.
    type_id: TypeId,
    /// Whether the value is those of an HTTP request, in which there may be what is looked for.
    is_of_request: bool,
    type_name: &'static str,
    value: T,
}

impl Extensions {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in. One of the same type that was there before is no longer found.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let (type_id, type_name) = (TypeId::of::<T>(), type_name::<T>());
        let is_of_request = type_id == TypeId::of::<http::Extensions>();
        let before = std::mem::take(self);
        self.0 = Some(Arc::new(Node { before, type_id, is_of_request, type_name, value }));
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let wanted = TypeId::of::<T>();
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

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<dyn Any + Send + Sync>> {
        std::iter::successors(self.0.as_deref(), |node| node.before.0.as_deref())
    }
}

/// The value of a type that an HTTP request carries: by itself, or in [`Extensions`] that are among its own.
///
/// Who knows the same of many requests puts it into extensions once, and a clone of those into each request: one value is moved then
/// and not many. When a call is made of the request, all of it becomes the call's own.
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
    /// Tells what kinds of things are in it and never what they are: some are secrets.
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
