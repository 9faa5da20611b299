//! Compiled conditions and their evaluation.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};
use cel::common::types::{CelBool, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program};
use serde_json::Value;

use super::arguments::{Arguments, from_json};
use super::cost::Extent;
use super::shape::Shape;
use super::{BadCondition, ConditionError, OfCaller};
use crate::{Principal, TenantName, limits};

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition.
pub(crate) struct Condition {
    program: Program,
    shape: Shape,
    parts: Option<Parts>,
}

/// The operands of `&&`, split into those about the caller alone, which are the same for all of the caller's calls, and the others.
struct Parts {
    of_caller: IdedExpr,
    of_call: IdedExpr,
}

/// The variables of a caller: `user` and `tenant`.
pub(crate) struct Facts {
    user: Box<dyn Val>,
    tenant: CelString<'static>,
    longest: usize,
    bytes: usize,
}

/// The work that is left for one decision. All its conditions share one limit, so that many conditions can't multiply the worst case.
pub(crate) struct Work(u64);

impl Work {
    /// The limit for the conditions of a call.
    pub(crate) fn of_call() -> Self {
        Self(limits::CONDITION_WORK)
    }

    /// The limit for the conditions that are evaluated when a caller's rights are made.
    pub(crate) fn of_rights() -> Self {
        Self(limits::RIGHTS_WORK)
    }

    /// Takes some of the work. Takes none and fails if not enough is left.
    fn take(&mut self, work: usize) -> Result<(), ConditionError> {
        let left = u64::try_from(work).ok().and_then(|work| self.0.checked_sub(work));
        self.0 = left.ok_or(ConditionError::TooMuchWork)?;
        Ok(())
    }
}

/// The variables of one evaluation.
struct Variables<'a> {
    facts: &'a Facts,
    arguments: Option<&'a Arguments>,
}

impl Condition {
    pub(crate) fn compile(text: &str) -> Result<Self, BadCondition> {
        if text.len() > limits::CONDITION_BYTES {
            return Err(BadCondition::TooLong { limit: limits::CONDITION_BYTES });
        }
        // The parser recurses for each of these, and needs much stack. Those within string literals count too, so that the count does not
        // depend on where a literal ends.
        let marks = |marks: &[u8]| text.bytes().filter(|byte| marks.contains(byte)).count();
        if marks(b"([{?") > limits::CONDITION_BRACKETS {
            return Err(BadCondition::TooManyBrackets { limit: limits::CONDITION_BRACKETS });
        }
        if marks(b"([{?.:,!=<>&|+-*/%") > limits::CONDITION_PARTS {
            return Err(BadCondition::TooManyParts { limit: limits::CONDITION_PARTS });
        }
        let program = parse(text)?;
        let shape = Shape::of(program.expression())?;
        let parts = Parts::of(program.expression());
        Ok(Self { program, shape, parts })
    }

    /// Whether the condition uses arguments. If not, its result is the same for all calls of a caller.
    pub(crate) fn needs_arguments(&self) -> bool {
        self.shape.needs_arguments
    }

    /// Evaluates the condition. Takes time in proportion to the arguments, and takes as much from `left`.
    pub(crate) fn holds(
        &self,
        facts: &Facts,
        arguments: Option<&Arguments>,
        left: &mut Work,
    ) -> Result<bool, ConditionError> {
        self.check_bounds(facts, arguments, left)?;
        ask(self.program.expression(), facts, arguments)
    }

    /// Whether some operands of `&&` are about the caller alone while others use arguments.
    pub(crate) fn has_parts_of_caller(&self) -> bool {
        self.parts.is_some()
    }

    /// Like [`holds`](Self::holds), but caches in `of_caller` the result of the caller-only parts. Of several errors, another one may be
    /// returned.
    pub(crate) fn holds_as(
        &self,
        of_caller: &OfCaller,
        facts: &Facts,
        arguments: &Arguments,
        left: &mut Work,
    ) -> Result<bool, ConditionError> {
        let Some(parts) = &self.parts else { return self.holds(facts, Some(arguments), left) };
        self.check_bounds(facts, Some(arguments), left)?;
        // In CEL a false operand makes `&&` false, whatever the others give.
        match *of_caller.get_or_init(|| ask(&parts.of_caller, facts, None)) {
            Ok(false) => Ok(false),
            Ok(true) => ask(&parts.of_call, facts, Some(arguments)),
            Err(why) => match ask(&parts.of_call, facts, Some(arguments)) {
                Ok(false) => Ok(false),
                _ => Err(why),
            },
        }
    }

    /// Refuses arguments that two readers may read differently, or that would be too much work.
    fn check_bounds(
        &self,
        facts: &Facts,
        arguments: Option<&Arguments>,
        left: &mut Work,
    ) -> Result<(), ConditionError> {
        if let Some(arguments) = arguments {
            self.check(arguments)?;
        }
        let of_arguments =
            arguments.map_or_else(Extent::default, |it| Extent { longest: it.longest, bytes: it.bytes });
        let of_facts = Extent { longest: facts.longest, bytes: facts.bytes };
        left.take(self.shape.work(of_arguments, of_facts))
    }

    /// Refuses names that differ from those in the condition only in case.
    fn check(&self, arguments: &Arguments) -> Result<(), ConditionError> {
        let other = |(folded, name): &(String, String)| {
            let written = self.shape.names.get(folded);
            written.is_some_and(|written| !written.contains(name))
        };
        if arguments.names.iter().any(other) { Err(ConditionError::OtherSpelling) } else { Ok(()) }
    }
}

fn ask(expression: &IdedExpr, facts: &Facts, arguments: Option<&Arguments>) -> Result<bool, ConditionError> {
    let variables = Variables { facts, arguments };
    let mut context = Context::with_env(Arc::clone(&STANDARD));
    context.set_variable_resolver(&variables);
    match cel::Value::resolve_val(expression, &context) {
        Ok(value) => match value.as_ref().downcast_ref::<CelBool>() {
            Some(bool) => Ok(*bool.inner()),
            None => Err(ConditionError::NotABool),
        },
        // The error's text may contain values of arguments.
        Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => {
            Err(ConditionError::NotThere)
        }
        Err(_) => Err(ConditionError::WrongType),
    }
}

impl Parts {
    /// Splits the operands of `&&`, if some are about the caller alone and others are not.
    fn of(expression: &IdedExpr) -> Option<Self> {
        let mut all = Vec::new();
        conjuncts(expression, &mut all);
        // An operand that can't be analyzed counts as one that uses arguments.
        let is_of_call = |part: &&IdedExpr| Shape::of(part).map_or(true, |shape| shape.needs_arguments);
        let (of_call, of_caller): (Vec<_>, Vec<_>) = all.into_iter().partition(is_of_call);
        Some(Self { of_caller: together(of_caller)?, of_call: together(of_call)? })
    }
}

fn conjuncts<'a>(expression: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    match &expression.expr {
        Expr::Call(CallExpr { func_name, target: None, args }) if func_name == operators::LOGICAL_AND => {
            args.iter().for_each(|part| conjuncts(part, into));
        }
        _ => into.push(expression),
    }
}

/// Joins expressions with `&&`. `None` if there are none.
fn together(parts: Vec<&IdedExpr>) -> Option<IdedExpr> {
    parts.into_iter().cloned().reduce(|before, part| {
        let both =
            CallExpr { func_name: operators::LOGICAL_AND.to_owned(), target: None, args: vec![before, part] };
        IdedExpr { id: 0, expr: Expr::Call(both) }
    })
}

/// Parses an expression on a temporary thread: without optimization, the parser needs up to 100 KiB of stack for each bracket, which the
/// calling thread may lack. The result depends on the text alone.
fn parse(text: &str) -> Result<Program, BadCondition> {
    let parsed = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(limits::CONDITION_STACK);
        let thread = builder.spawn_scoped(scope, || STANDARD.compile(text)).ok()?;
        thread.join().ok()
    });
    parsed.ok_or(BadCondition::NoParser)?.map_err(|errors| {
        let first = errors.errors.first();
        let first =
            first.map(|error| format!("{} (line {}, column {})", error.msg, error.pos.0, error.pos.1));
        let hint = if has_lone_equals(text) { "; is == meant, where = stands?" } else { "" };
        BadCondition::NoExpression(first.unwrap_or_default() + hint)
    })
}

/// Whether there is a single `=`, which CEL does not have. String literals count too: the text is no valid expression.
fn has_lone_equals(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_part = |at: Option<&u8>, others: &[u8]| at.is_some_and(|byte| others.contains(byte));
    bytes.iter().enumerate().any(|(at, byte)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        *byte == b'=' && !is_part(before, b"=!<>") && !is_part(bytes.get(at + 1), b"=")
    })
}

impl Facts {
    pub(crate) fn new(principal: &Principal, tenant: &TenantName) -> Self {
        let mut user = serde_json::Map::new();
        let mut put = |name: &str, value: Value| _ = user.insert(name.to_owned(), value);
        put("issuer", principal.issuer().into());
        put("subject", principal.subject().into());
        put("groups", principal.groups().into());
        put("roles", principal.roles().into());
        put("claims", principal.claims().iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        for (name, value) in [("email", principal.email()), ("name", principal.name())] {
            value.into_iter().for_each(|value| put(name, value.into()));
        }
        let user = Value::Object(user);
        let bytes = user.to_string().len();
        let mut longest = 0;
        let user = from_json(&user, &mut longest);
        Self { user, tenant: CelString::from(tenant.as_str().to_owned()), longest, bytes }
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "args" => Some(CowVal::Borrowed(&*self.arguments?.value)),
            "user" => Some(CowVal::Borrowed(&*self.facts.user)),
            "tenant" => Some(CowVal::Borrowed(&self.facts.tenant)),
            _ => None,
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("shape", &self.shape).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equals_sign_by_itself_is_asked_about() {
        for (text, is_asked) in
            [("args.x = 3", true), ("args.x ==", false), ("args.x >= ", false), ("args.x !=", false)]
        {
            let error = parse(text).err().unwrap().to_string();
            assert_eq!(error.ends_with("; is == meant, where = stands?"), is_asked, "{error}");
        }
    }
}
