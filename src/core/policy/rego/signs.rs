//! The operators of the syntax tree as they are written.

use regorus::unstable::{ArithOp, AssignOp, BinOp, BoolOp};

pub(super) const fn of_sets(op: &BinOp) -> &'static str {
    match op {
        BinOp::Intersection => "&",
        BinOp::Union => "|",
    }
}

pub(super) const fn of_comparison(op: &BoolOp) -> &'static str {
    match op {
        BoolOp::Lt => "<",
        BoolOp::Le => "<=",
        BoolOp::Eq => "==",
        BoolOp::Ge => ">=",
        BoolOp::Gt => ">",
        BoolOp::Ne => "!=",
    }
}

pub(super) const fn of_arithmetic(op: &ArithOp) -> &'static str {
    match op {
        ArithOp::Add => "+",
        ArithOp::Sub => "-",
        ArithOp::Mul => "*",
        ArithOp::Div => "/",
        ArithOp::Mod => "%",
    }
}

pub(super) const fn of_assignment(op: &AssignOp) -> &'static str {
    match op {
        AssignOp::Eq => "=",
        AssignOp::ColEq => ":=",
    }
}
