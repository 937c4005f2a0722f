//! What is watched while a bundle is evaluated: the statements of every definition, the expressions in
//! them, and the number by which an event names each.

use super::super::paths::RulePath;

/// The place of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) body: usize,
    pub(super) statement: usize,
    pub(super) part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A body begins.
    Enter,
    /// The expression that a statement asks, assigns or loops over.
    Whole,
    /// An expression inside it.
    Operand(usize),
    /// A name that has got a value.
    Name(usize),
    /// An argument of the function, when it is called.
    Argument(usize),
}

/// One definition of a rule or function.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) path: RulePath,
    pub(super) file: String,
    pub(super) line: u32,
    /// The head as it is written.
    pub(super) text: String,
    pub(super) is_function: bool,
    pub(super) bodies: Vec<usize>,
    pub(super) arguments: Vec<Watched>,
    /// The rules and functions that it refers to.
    pub(super) uses: Vec<RulePath>,
}

/// A query: of a definition, or of an `every`.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) definition: usize,
    /// The body and the statement that this one is a part of.
    pub(super) within: Option<(usize, usize)>,
    pub(super) statements: Vec<Statement>,
    /// The value that it gives, where that is written out.
    pub(super) literal: Option<String>,
    pub(super) line: u32,
    /// It says when it begins; a value without a query does not.
    pub(super) is_entered: bool,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) line: u32,
    pub(super) whole: Option<Watched>,
    pub(super) operands: Vec<Watched>,
    pub(super) names: Vec<Watched>,
    /// The body of an `every`.
    pub(super) inner: Option<usize>,
    /// The rules that it refers to.
    pub(super) uses: Vec<RulePath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Test,
    Not,
    /// `:=`, and `=` that gives a name its value.
    Assign,
    SomeIn,
    Every,
    /// Not watched: what it does is seen by what comes behind it.
    Silent,
    /// The value that the definition gives.
    Value,
}

/// An expression whose values are recorded.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) text: String,
    /// Its value is shown only where it is true or false.
    pub(super) is_masked: bool,
}

/// Everything that is watched.
#[derive(Debug, Default)]
pub(super) struct Sites {
    pub(super) sites: Vec<Site>,
    pub(super) shapes: Vec<Shape>,
    pub(super) bodies: Vec<Body>,
}

impl Sites {
    pub(super) fn add(&mut self, body: usize, statement: usize, part: Part) -> usize {
        self.sites.push(Site { body, statement, part });
        self.sites.len() - 1
    }

    pub(super) fn shape(&self, definition: usize) -> Option<&Shape> {
        self.shapes.get(definition)
    }

    pub(super) fn statement(&self, body: usize, statement: usize) -> Option<&Statement> {
        self.bodies.get(body)?.statements.get(statement)
    }

    pub(super) fn statement_mut(&mut self, body: usize, index: usize) -> Option<&mut Statement> {
        self.bodies.get_mut(body)?.statements.get_mut(index)
    }
}
