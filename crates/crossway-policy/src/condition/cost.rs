//! A bound on the work of an expression, computed before its evaluation from its form and the sizes of its inputs.

use std::ops::Add;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use crate::limits::{CONDITION_COPY, CONDITION_STEP, CONDITION_VALUE};

/// An upper bound of a value's size, or of an evaluation's work: a sum of multiples of the inputs' sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Bytes that do not depend on the inputs.
    own: usize,
    /// Multiples of the current element of a loop's list. All elements together are no larger than the inputs of the condition.
    elements: usize,
    /// Multiples of the arguments.
    arguments: usize,
    /// Multiples of the caller's facts.
    facts: usize,
}

/// The size of an input: of the arguments, of the caller's facts, or of a list in these.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) bytes: usize,
    /// The number of elements of the longest list.
    pub(super) longest: usize,
}

impl Size {
    pub(super) const ARGUMENTS: Self = Self { own: 0, elements: 0, arguments: 1, facts: 0 };
    pub(super) const FACTS: Self = Self { own: 0, elements: 0, arguments: 0, facts: 1 };
    pub(super) const ELEMENT: Self = Self { own: 0, elements: 1, arguments: 0, facts: 0 };
    /// A number or a boolean.
    pub(super) const SMALL: Self = Self::own(8);
    /// The work of each part of an expression, beside its operands.
    pub(super) const STEP: Self = Self::own(CONDITION_STEP);

    pub(super) const fn own(bytes: usize) -> Self {
        Self { own: bytes, elements: 0, arguments: 0, facts: 0 }
    }

    /// The work of comparing a value of this size.
    fn compared(self) -> Self {
        self.times(CONDITION_VALUE)
    }

    /// The work of copying a value of this size.
    pub(super) fn copied(self) -> Self {
        self.times(CONDITION_COPY)
    }

    fn times(self, count: usize) -> Self {
        let times = |part: usize| part.saturating_mul(count);
        let (arguments, facts) = (times(self.arguments), times(self.facts));
        Self { own: times(self.own), elements: times(self.elements), arguments, facts }
    }

    /// Returns one of two sizes that bounds the smaller value of the two.
    fn least(self, other: Self) -> Self {
        let rank = |size: Self| (size.arguments, size.facts, size.elements, size.own);
        if rank(self) <= rank(other) { self } else { other }
    }

    /// The bound in bytes, summed over a list's elements: `longest` of them, which have `bytes` bytes together.
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

/// Returns the work of a call, without that of its operands, and the size of its result. The target is the first operand.
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
        // Comparisons end with the shorter operand.
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => (operand(0).least(operand(1)).compared(), Size::SMALL),
        // Compares with each element of a list, or looks up a key.
        operators::IN => (operand(0) + operand(1).compared(), Size::SMALL),
        // Only text can be added to text.
        operators::ADD if call.args.iter().any(is_text) => (all, all),
        operators::ADD => (all.copied(), all),
        "dyn" => (all.compared(), all),
        "string" => (all, all + Size::own(32)),
        // `size`, `startsWith`, `endsWith`, `contains`, and conversions to numbers.
        _ => (all, Size::SMALL),
    }
}

/// Whether an expression can only be a text.
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
