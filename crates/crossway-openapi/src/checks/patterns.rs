//! Regular expressions of a schema, with one bound on their cost per call.

use std::cell::Cell;

use jsonschema::paths::Location;
use jsonschema::{Keyword, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::limits;

thread_local! {
    /// The work left for the call that is validated on this thread; `None` once it is used up. A thread-local, since nothing can be passed
    /// to the keywords of the library.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Begins to validate a call.
pub(super) fn begin() {
    LEFT.set(Some(limits::PATTERN_WORK));
}

/// Whether the current call has used up its work for patterns.
pub(super) fn were_too_much() -> bool {
    LEFT.get().is_none()
}

/// Charges the cost of matching all names of members in the arguments against this number of patterns.
pub(super) fn spend_on_names(patterns: usize, arguments: &Value) {
    let steps = limits::PATTERN_STEPS_OF_MANY.saturating_mul(patterns as u64);
    let within: Box<dyn Iterator<Item = &Value>> = match arguments {
        _ if patterns == 0 => return,
        Value::Object(members) => {
            if !members.keys().all(|name| spend(steps, name.len(), 0)) {
                LEFT.set(None);
            }
            Box::new(members.values())
        }
        Value::Array(list) => Box::new(list.iter()),
        _ => return,
    };
    within.for_each(|value| spend_on_names(patterns, value));
}

/// Charges the cost of `steps` on a text of this length, without touching the `reserve`. Returns whether enough was left.
fn spend(steps: u64, length: usize, reserve: u64) -> bool {
    let Some(left) = LEFT.get() else { return false };
    let each = 1 + (length / limits::PATTERN_STEP_BYTES) as u64;
    let rest = left.saturating_sub(reserve).checked_sub(steps.saturating_mul(each));
    if let Some(rest) = rest {
        LEFT.set(Some(rest + reserve.min(left)));
    }
    rest.is_some()
}

/// The keyword `pattern`.
pub(super) struct Pattern {
    text: String,
    engine: Engine,
}

enum Engine {
    /// Takes time linear in the text's length.
    Linear(Validator),
    /// Backtracks: up to the full limit for a single text, and to a lower one where texts are many or long.
    Backtracking { thorough: Validator, quick: Validator },
}

impl Pattern {
    /// Makes the keyword, as the library requires.
    pub(super) fn keyword<'a>(
        _: &'a Map<String, Value>,
        pattern: &'a Value,
        _: Location,
    ) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
        let linear = PatternOptions::regex().size_limit(limits::PATTERN_BYTES);
        let schema = json!({ "pattern": pattern });
        let options = || jsonschema::options().should_validate_formats(false);
        let backtracking = |steps: u64| {
            let patterns = PatternOptions::fancy_regex()
                .backtrack_limit(usize::try_from(steps).unwrap_or(usize::MAX))
                .size_limit(limits::PATTERN_BYTES);
            let built = options().with_pattern_options(patterns).offline().build(&schema);
            built.map_err(|error| ValidationError::custom(error.to_string()))
        };
        let engine = match options().with_pattern_options(linear).offline().build(&schema) {
            Ok(linear) => Engine::Linear(linear),
            Err(_) => Engine::Backtracking {
                thorough: backtracking(limits::PATTERN_STEPS)?,
                quick: backtracking(limits::PATTERN_STEPS_OF_MANY)?,
            },
        };
        Ok(Box::new(Self { text: pattern.as_str().unwrap_or_default().to_owned(), engine }))
    }
}

impl<'i> Keyword<'i> for Pattern {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let unfit = || ValidationError::custom(format!("the value does not match {:?}", self.text));
        if self.is_valid(instance) { Ok(()) } else { Err(unfit()) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let Some(text) = instance.as_str() else { return true };
        match &self.engine {
            Engine::Linear(linear) if spend(1, text.len(), 0) => linear.is_valid(instance),
            // Half is reserved for quick matches, of which there can be many.
            Engine::Backtracking { thorough, .. }
                if spend(limits::PATTERN_STEPS, text.len(), limits::PATTERN_WORK / 2) =>
            {
                thorough.is_valid(instance)
            }
            Engine::Backtracking { quick, .. } if spend(limits::PATTERN_STEPS_OF_MANY, text.len(), 0) => {
                quick.is_valid(instance)
            }
            _ => {
                LEFT.set(None);
                false
            }
        }
    }
}
