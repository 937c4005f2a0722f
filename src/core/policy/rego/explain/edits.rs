//! Insertions into the text of a module. Nothing is taken out but `=` where it means `==`, and no line
//! is added, so that every place stays what it was.

/// The extension that says that an expression is about to be evaluated, and gives its number back.
pub(super) const AT: &str = "__portreeve_at";
/// The extension that records a value and gives it back.
pub(super) const SAW: &str = "__portreeve_saw";
/// The extension that records a value and is true.
pub(super) const IS: &str = "__portreeve_is";

/// At one offset: what ends there, then what follows it, then what begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Close,
    After,
    End,
    Open,
}

/// The insertions into one module.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<(usize, Order, usize, String)>,
    equals: Vec<usize>,
}

impl Edits {
    fn push(&mut self, at: usize, order: Order, text: String) {
        let number = self.edits.len();
        self.edits.push((at, order, number, text));
    }

    /// Opens what records an expression; [`close`](Self::close) is called after what is inside it.
    pub(super) fn open(&mut self, site: usize, start: usize, needs_parens: bool) {
        let paren = if needs_parens { "(" } else { "" };
        self.push(start, Order::Open, format!("{SAW}({AT}({site}),{paren}"));
    }

    pub(super) fn close(&mut self, end: usize, needs_parens: bool) {
        self.push(end, Order::Close, if needs_parens { "))" } else { ")" }.to_owned());
    }

    /// A statement in front of a body's first, which is put into braces where it stands alone.
    pub(super) fn enter(&mut self, site: usize, start: usize, alone_until: Option<usize>) {
        let brace = if alone_until.is_some() { "{ " } else { "" };
        self.push(start, Order::Open, format!("{brace}{AT}({site}); "));
        if let Some(end) = alone_until {
            self.push(end, Order::End, " }".to_owned());
        }
    }

    /// A statement in front of another.
    pub(super) fn before(&mut self, site: usize, start: usize, name: &str) {
        self.push(start, Order::Open, format!("{IS}({site}, {name}); "));
    }

    /// A statement behind another.
    pub(super) fn after(&mut self, site: usize, end: usize, name: &str) {
        self.push(end, Order::After, format!("; {IS}({site}, {name})"));
    }

    /// A `=` between two values.
    pub(super) fn compare(&mut self, at: usize) {
        self.equals.push(at);
    }

    /// The text with all insertions.
    pub(super) fn apply(mut self, text: &str) -> Option<String> {
        let equals = std::mem::take(&mut self.equals);
        equals.into_iter().for_each(|at| self.push(at, Order::Open, "=".to_owned()));
        self.edits.sort_by_key(|(at, order, number, _)| (*at, *order, *number));
        let mut out = String::with_capacity(text.len() * 2);
        let mut from = 0;
        for (at, _, _, inserted) in &self.edits {
            out.push_str(text.get(from..*at)?);
            out.push_str(inserted);
            from = *at;
        }
        out.push_str(text.get(from..)?);
        Some(out)
    }
}
