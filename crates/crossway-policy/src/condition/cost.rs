//! A bound on the work of an expression, computed before its evaluation from its form and the sizes of its inputs.

use std::ops::Add;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use crate::limits::{CONDITION_COPY, CONDITION_STEP, CONDITION_VALUE};

/// How large a value is at most, or how much an evaluation goes through: so much of this and of that together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes, whatever the condition is about.
    own: usize,
    /// How many times the element of the list that is gone through: all elements together are no more than all that the condition is
    /// about.
    elements: usize,
    /// How many times the arguments.
    arguments: usize,
    /// How many times what is known of the caller.
    facts: usize,
}

/// How much there is to go through: of the arguments, of what is known of the caller, or of a list in these.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) bytes: usize,
    /// How many elements the longest list has.
    pub(super) longest: usize,
}

impl Size {
    pub(super) const ARGUMENTS: Self = Self { own: 0, elements: 0, arguments: 1, facts: 0 };
    pub(super) const FACTS: Self = Self { own: 0, elements: 0, arguments: 0, facts: 1 };
    pub(super) const ELEMENT: Self = Self { own: 0, elements: 1, arguments: 0, facts: 0 };
    /// A number, or true or false.
    pub(super) const SMALL: Self = Self::own(8);
    /// What each part takes, beside what it goes through.
    pub(super) const STEP: Self = Self::own(CONDITION_STEP);

    pub(super) const fn own(bytes: usize) -> Self {
        Self { own: bytes, elements: 0, arguments: 0, facts: 0 }
    }

    /// What comparing it as a value goes through.
    fn compared(self) -> Self {
        self.times(CONDITION_VALUE)
    }

    /// What copying it as a value goes through.
    pub(super) fn copied(self) -> Self {
        self.times(CONDITION_COPY)
    }

    fn times(self, count: usize) -> Self {
        let times = |part: usize| part.saturating_mul(count);
        let (arguments, facts) = (times(self.arguments), times(self.facts));
        Self { own: times(self.own), elements: times(self.elements), arguments, facts }
    }

    /// One of both that is a bound where the smaller one is.
    fn least(self, other: Self) -> Self {
        let rank = |size: Self| (size.arguments, size.facts, size.elements, size.own);
        if rank(self) <= rank(other) { self } else { other }
    }

    /// How many bytes it comes to, when it is once for each of so many elements that have so many bytes together, or once.
    pub(super) fn bytes(&self, list: Extent, arguments: usize, facts: usize) -> usize {
        let whole = arguments.saturating_mul(self.arguments);
        let each = whole.saturating_add(facts.saturating_mul(self.facts)).saturating_add(self.own);
        list.longest.saturating_mul(each).saturating_add(list.bytes.saturating_mul(self.elements))
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            own: self.own.saturating_add(other.own),
            elements: self.elements.saturating_add(other.elements),
            arguments: self.arguments.saturating_add(other.arguments),
            facts: self.facts.saturating_add(other.facts),
        }
    }
}

/// What a call goes through, beside what its operands take, and how large its result is. The target is the first of the operands.
pub(super) fn of_call(call: &CallExpr, operands: &[Size]) -> (Size, Size) {
    let operand = |at: usize| operands.get(at).copied().unwrap_or_default();
    let all = operands.iter().copied().fold(Size::default(), Size::add);
    match call.func_name.as_str() {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::NOT_STRICTLY_FALSE
        | operators::NEGATE
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO => (Size::default(), Size::SMALL),
        operators::CONDITIONAL => (Size::default(), operand(1) + operand(2)),
        // A key is hashed.
        operators::INDEX => (operand(1), operand(0)),
        // They end with the shorter of both.
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => (operand(0).least(operand(1)).compared(), Size::SMALL),
        // It compares with each element of a list, or looks for a key.
        operators::IN => (operand(0) + operand(1).compared(), Size::SMALL),
        // Nothing but text can be added to text.
        operators::ADD if call.args.iter().any(is_text) => (all, all),
        operators::ADD => (all.copied(), all),
        "dyn" => (all.compared(), all),
        "string" => (all, all + Size::own(32)),
        // `size`, `startsWith`, `endsWith`, `contains`, and what gives a number.
        _ => (all, Size::SMALL),
    }
}

/// Whether nothing but text can come of an expression.
fn is_text(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(_)) => true,
        Expr::Ident(name) => name == "tenant",
        Expr::Call(call) => match call.func_name.as_str() {
            "string" => true,
            operators::ADD => call.args.iter().any(is_text),
            _ => false,
        },
        _ => false,
    }
}
