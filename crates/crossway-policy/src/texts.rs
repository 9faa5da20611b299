//! Interning of compiled patterns and conditions, shared with the previous policy.

use std::sync::Arc;

use foldhash::HashMap;

use crate::condition::{BadCondition, Condition};
use crate::pattern::{BadPattern, Of, Pattern};

/// Compiled conditions and automata, each compiled once per text. The result depends on the text alone, so grants of different owners can
/// share it.
#[derive(Default)]
pub(crate) struct Texts {
    conditions: HashMap<Box<str>, Arc<Condition>>,
    /// For names, and for URIs.
    automata: [HashMap<Box<str>, Pattern>; 2],
}

impl Texts {
    /// Returns the condition of a text, taken from `before` if it is there.
    pub(crate) fn condition(
        &mut self,
        text: &str,
        before: Option<&Self>,
    ) -> Result<Arc<Condition>, BadCondition> {
        let before = before.map(|before| &before.conditions);
        known_or(&mut self.conditions, before, text, || Condition::compile(text).map(Arc::new))
    }

    /// Returns the pattern of a text, taken from `before` if it is there.
    pub(crate) fn pattern(
        &mut self,
        text: &str,
        of: Of,
        before: Option<&Self>,
    ) -> Result<Pattern, BadPattern> {
        let kind = usize::from(of == Of::Uri);
        let before = before.map(|before| &before.automata[kind]);
        Pattern::compile_by(text, of, |make| known_or(&mut self.automata[kind], before, text, make))
    }
}

fn known_or<T: Clone, E>(
    now: &mut HashMap<Box<str>, T>,
    before: Option<&HashMap<Box<str>, T>>,
    text: &str,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    if let Some(known) = now.get(text) {
        return Ok(known.clone());
    }
    let known = match before.and_then(|before| before.get(text)) {
        Some(known) => known.clone(),
        None => make()?,
    };
    now.insert(text.into(), known.clone());
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of the automaton of a text, taken from `before` if it is there.
    fn automaton(texts: &mut Texts, text: &str, of: Of, before: Option<&Texts>) -> usize {
        let Ok(Pattern::Automaton(automaton)) = texts.pattern(text, of, before) else { panic!("{text}") };
        Arc::as_ptr(&automaton) as usize
    }

    #[test]
    fn what_is_made_of_a_text_is_made_once_and_not_again_after_a_reload() {
        let (mut before, mut after) = (Texts::default(), Texts::default());
        let made = automaton(&mut before, "a?", Of::Name, None);
        assert_eq!(automaton(&mut before, "a?", Of::Name, None), made);
        assert_eq!(automaton(&mut after, "a?", Of::Name, Some(&before)), made);
        // In URIs the same text is another pattern.
        assert_ne!(automaton(&mut after, "a?", Of::Uri, Some(&before)), made);
        // Texts that no policy uses any more are forgotten.
        drop(before);
        assert_eq!(after.automata.iter().map(HashMap::len).sum::<usize>(), 2);
    }

    #[cfg(feature = "cel")]
    #[test]
    fn a_condition_is_made_once_and_a_bad_one_is_bad_each_time() {
        let (mut before, mut after) = (Texts::default(), Texts::default());
        let made = before.condition("args.a == 1", None).unwrap();
        assert!(Arc::ptr_eq(&made, &before.condition("args.a == 1", None).unwrap()));
        assert!(Arc::ptr_eq(&made, &after.condition("args.a == 1", Some(&before)).unwrap()));
        assert!(before.condition("args.a ==", None).is_err() && before.condition("args.a ==", None).is_err());
    }
}
