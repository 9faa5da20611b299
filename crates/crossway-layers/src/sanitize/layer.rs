//! The sanitizing layer.

use crossway_proto::{Limits, Message};
use crossway_service::{Call, Reply};
use tower_layer::Layer;

use super::reply::Sanitized;
use super::text::{self, Bounds};
use crate::limits::{DESCRIPTION_CHARS, INSTRUCTIONS_CHARS};
use crate::stage::{Entry, Stage, Staged};

/// Sanitizes texts of upstreams that models read; see the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct SanitizeLayer {
    bounds: Bounds,
}

impl Default for SanitizeLayer {
    fn default() -> Self {
        Self {
            bounds: Bounds {
                description: DESCRIPTION_CHARS,
                instructions: INSTRUCTIONS_CHARS,
                are_names_labels: false,
                is_shallow: false,
            },
        }
    }
}

impl SanitizeLayer {
    /// Creates the layer with the bounds in [`limits`](crate::limits).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most characters of a description or a title.
    #[must_use]
    pub fn description(mut self, characters: usize) -> Self {
        self.bounds.description = characters;
        self
    }

    /// Sets the most characters of instructions; with 0 they are emptied.
    #[must_use]
    pub fn instructions(mut self, characters: usize) -> Self {
        self.bounds.instructions = characters;
        self
    }
}

impl<S> Layer<S> for SanitizeLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(*self, inner)
    }
}

impl Stage for SanitizeLayer {
    /// `None` where the answer has no texts of the upstream for models.
    type Pass = Option<Bounds>;

    fn enter(&self, call: &mut Call) -> Entry<Option<Bounds>> {
        const TELLING: [&str; 7] = [
            "tools/list",
            "server/discover",
            "prompts/list",
            "resources/list",
            "resources/templates/list",
            "prompts/get",
            "initialize",
        ];
        let method =
            call.request().and_then(|request| TELLING.iter().find(|method| request.is_method(method)));
        let bounds = |method: &&str| Bounds {
            // Resources have URIs, so that their names are labels.
            are_names_labels: method.starts_with("resources/"),
            // The messages of a prompt are what was asked for.
            is_shallow: *method == "prompts/get",
            ..self.bounds
        };
        Entry::Pass(method.map(bounds))
    }

    fn leave(bounds: Option<Bounds>, reply: Reply) -> Reply {
        match bounds {
            Some(bounds) => Reply::stream(Sanitized::new(reply, bounds)),
            None => reply,
        }
    }
}

/// Sanitizes an answer; returns it unchanged if it is harmless, `None` if it can't be read.
pub(super) fn sanitized(answer: &Message, bounds: &Bounds) -> Option<Message> {
    let answer = answer.reread().ok()?;
    let Some(result) = answer.result() else { return Some(answer) };
    let edits = text::edits(result, bounds)?;
    if edits.is_empty() {
        return Some(answer);
    }
    let whole = answer.to_bytes();
    // Nothing was spliced: the result is a part of these bytes.
    let start = result.as_ptr() as usize - whole.as_ptr() as usize;
    let mut text = Vec::with_capacity(whole.len());
    let mut at = 0;
    for (span, with) in edits {
        text.extend_from_slice(&whole[at..start + span.start]);
        text.extend_from_slice(with.as_bytes());
        at = start + span.end;
    }
    text.extend_from_slice(&whole[at..]);
    let limits = Limits::default().with(|limits| {
        limits.message_bytes = usize::MAX;
        limits.id_bytes = usize::MAX;
    });
    Message::parse(text.into(), &limits).ok()
}
