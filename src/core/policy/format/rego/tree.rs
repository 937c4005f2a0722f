//! A module as it is written: unlike the engine's tree it knows lines, dots, parentheses and order.

/// One whole file.
#[derive(Debug)]
pub(super) struct Module<'a> {
    pub(super) package: Term<'a>,
    pub(super) items: Vec<Item<'a>>,
}

#[derive(Debug)]
pub(super) enum Item<'a> {
    Import(Import<'a>),
    Rule(Box<Rule<'a>>),
}

#[derive(Debug)]
pub(super) struct Import<'a> {
    pub(super) row: u32,
    pub(super) path: Term<'a>,
    pub(super) alias: Option<&'a str>,
}

/// A rule, or what follows its `else`.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    pub(super) row: u32,
    pub(super) text: &'a str,
    pub(super) is_default: bool,
    pub(super) head: Head<'a>,
    pub(super) body: Option<Body<'a>>,
    pub(super) otherwise: Option<Box<Self>>,
    /// For what follows an `else`: the word stands behind something on its line.
    pub(super) is_inline: bool,
}

#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) row: u32,
    pub(super) text: &'a str,
    /// `None` for an `else`.
    pub(super) name: Option<Term<'a>>,
    pub(super) arguments: Option<List<'a>>,
    /// Behind `contains`.
    pub(super) key: Option<Term<'a>>,
    pub(super) value: Option<Term<'a>>,
}

#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) statements: Vec<Statement<'a>>,
    /// The row of the brace, where there is one.
    pub(super) close_row: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) row: u32,
    pub(super) text: &'a str,
    pub(super) is_negated: bool,
    pub(super) kind: StatementKind<'a>,
    /// The row where it ends but for the `with`s.
    pub(super) end_row: u32,
    pub(super) withs: Vec<With<'a>>,
}

#[derive(Debug)]
pub(super) enum StatementKind<'a> {
    Some(Vec<Term<'a>>),
    SomeIn { key: Option<Term<'a>>, value: Term<'a>, collection: Term<'a> },
    Every { key: Option<Term<'a>>, value: Term<'a>, domain: Term<'a>, body: Body<'a> },
    Term(Term<'a>),
}

#[derive(Debug)]
pub(super) struct With<'a> {
    pub(super) row: u32,
    pub(super) target: Term<'a>,
    pub(super) value: Term<'a>,
}

#[derive(Debug)]
pub(super) struct Term<'a> {
    /// Of its first token behind parentheses.
    pub(super) row: u32,
    /// In bytes, with parentheses around it or around its first operand, as the text.
    pub(super) start: usize,
    pub(super) text: &'a str,
    pub(super) kind: TermKind<'a>,
}

#[derive(Debug)]
pub(super) enum TermKind<'a> {
    /// A word, a number or a string, printed as it stands.
    Plain(&'a str),
    EmptySet {
        close_row: u32,
    },
    Reference {
        head: Box<Term<'a>>,
        path: Vec<Step<'a>>,
    },
    Call {
        function: Box<Term<'a>>,
        arguments: List<'a>,
    },
    Array(List<'a>),
    Set(List<'a>),
    Object(Pairs<'a>),
    Comprehension(Box<Comprehension<'a>>),
    Infix {
        operator: &'a str,
        left: Box<Term<'a>>,
        right: Box<Term<'a>>,
    },
    In {
        key: Option<Box<Term<'a>>>,
        value: Box<Term<'a>>,
        collection: Box<Term<'a>>,
    },
    Minus(Box<Term<'a>>),
}

#[derive(Debug)]
pub(super) enum Step<'a> {
    Name(Term<'a>),
    Index(Term<'a>),
}

#[derive(Debug)]
pub(super) struct List<'a> {
    pub(super) open_row: u32,
    pub(super) terms: Vec<Term<'a>>,
    pub(super) close_row: u32,
}

#[derive(Debug)]
pub(super) struct Pairs<'a> {
    pub(super) open_row: u32,
    pub(super) pairs: Vec<(Term<'a>, Term<'a>)>,
    pub(super) close_row: u32,
}

#[derive(Debug)]
pub(super) struct Comprehension<'a> {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// Of an object.
    pub(super) key: Option<Term<'a>>,
    pub(super) term: Term<'a>,
    pub(super) body: Body<'a>,
}

impl Term<'_> {
    pub(super) fn is_union(&self) -> bool {
        matches!(self.kind, TermKind::Infix { operator: "|", .. })
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.kind, TermKind::Plain("true"))
    }

    pub(super) fn begins_with_parenthesis(&self) -> bool {
        self.text.starts_with('(')
    }
}
