//! An object of a document, read field by field: what is left at the end was not ours.

use serde_json::{Map, Value};

use super::DocumentError;

/// The fields of one object that have not been read yet, and where the object stands.
#[derive(Debug)]
pub(super) struct Fields {
    path: String,
    left: Map<String, Value>,
    /// The keys that were asked for.
    known: Vec<String>,
}

/// Two slips of the pen; more is another word.
const MAX_DISTANCE: usize = 2;

impl Fields {
    pub(super) fn of(path: &str, value: &Value) -> Result<Self, DocumentError> {
        match value {
            Value::Object(left) => {
                Ok(Self { path: path.to_owned(), left: left.clone(), known: Vec::new() })
            }
            other => Err(wrong_kind(path, "an object", other)),
        }
    }

    /// The path of a field: `request.method`.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> DocumentError {
        DocumentError::new(&self.path(key), message)
    }

    /// The field's value, null included; `None` where it is absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.left.remove(key)
    }

    /// An object under this key; absent and null are `None`.
    pub(super) fn object(&mut self, key: &str) -> Result<Option<Self>, DocumentError> {
        let path = self.path(key);
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Self::of(&path, &value).map(Some),
        }
    }

    /// An object under this key; absent and null are an empty one.
    pub(super) fn object_or_empty(&mut self, key: &str) -> Result<Self, DocumentError> {
        let path = self.path(key);
        Ok(self.object(key)?.unwrap_or(Self { path, left: Map::new(), known: Vec::new() }))
    }

    /// A text under this key; absent and null are `None`.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, DocumentError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_kind(&self.path(key), "a text", &other)),
        }
    }

    pub(super) fn text_or(&mut self, key: &str, default: &str) -> Result<String, DocumentError> {
        Ok(self.text(key)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn required(&mut self, key: &str) -> Result<String, DocumentError> {
        self.text(key)?.ok_or_else(|| self.error(key, "is missing"))
    }

    /// A text that `parse` reads; absent and null are `None`.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, DocumentError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| self.error(key, error.to_string()))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        default: T,
    ) -> Result<T, DocumentError> {
        let Some(text) = self.text(key)? else { return Ok(default) };
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.error(key, format!("`{text}` is none of {}", words.join(", ")))
        })
    }

    /// A field that follows from others: where it is given it must say the same.
    pub(super) fn derived(
        &mut self,
        key: &str,
        expected: impl Into<Value>,
    ) -> Result<(), DocumentError> {
        let expected = expected.into();
        match self.take(key) {
            Some(given) if given != expected => {
                Err(self.error(key, format!("contradicts the rest, from which {expected} follows")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The pairs of an object of lists, such as headers; where `or_text`, a text is a list of one.
    pub(super) fn lists(
        &mut self,
        key: &str,
        or_text: bool,
    ) -> Result<Vec<(String, String)>, DocumentError> {
        let Some(Self { path, left, .. }) = self.object(key)? else { return Ok(Vec::new()) };
        let mut pairs = Vec::new();
        for (name, values) in left {
            let at = format!("{path}.{name}");
            let values = match values {
                Value::Array(values) => values,
                text @ Value::String(_) if or_text => vec![text],
                other => return Err(wrong_kind(&at, "a list of texts", &other)),
            };
            for (index, value) in values.into_iter().enumerate() {
                let Value::String(value) = value else {
                    return Err(wrong_kind(&format!("{at}[{index}]"), "a text", &value));
                };
                pairs.push((name.clone(), value));
            }
        }
        Ok(pairs)
    }

    /// Refuses what nobody read.
    pub(super) fn finish(self) -> Result<(), DocumentError> {
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        let nearest = self.known.iter().map(|known| (distance(key, known), known)).min();
        let nearest = nearest.filter(|(distance, _)| *distance <= MAX_DISTANCE);
        let meant =
            nearest.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default();
        Err(self.error(key, format!("is not a key of the document{meant}")))
    }
}

/// How many characters are to be put in, taken out or replaced to make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, c) in a.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((d, above_left), above) in b.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above_left + usize::from(c != d)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn wrong_kind(path: &str, expected: &str, found: &Value) -> DocumentError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    DocumentError::new(path, format!("must be {expected}, not {found}"))
}
