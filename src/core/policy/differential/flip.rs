//! A value of a document becomes one of another kind.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::places;
use super::random::Random;
use super::recipe::Step;

/// What a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Number,
    List,
    Null,
    Missing,
    Object,
    Boolean,
    /// Another text than the one that was there.
    Text,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Number,
        Self::List,
        Self::Null,
        Self::Missing,
        Self::Object,
        Self::Boolean,
        Self::Text,
    ];
}

/// Makes the value at a place one of this kind; `texts` are those that the policy mentions. Says
/// whether the document has become another.
pub(super) fn flip(
    document: &mut Value,
    steps: &[Step],
    kind: Kind,
    texts: &[String],
    random: &mut Random,
) -> bool {
    if kind == Kind::Missing {
        return places::remove(document, steps);
    }
    let old = places::at(document, steps).cloned();
    let inner = old.clone().unwrap_or_default();
    let new = match kind {
        Kind::Number => number(random),
        Kind::List => list(inner, texts, random),
        Kind::Null | Kind::Missing => Value::Null,
        Kind::Object => object(inner, random),
        Kind::Boolean => Value::from(random.once_in(2)),
        Kind::Text => Value::from(text(inner.as_str(), texts, random)),
    };
    if old.as_ref() == Some(&new) {
        return false;
    }
    places::put(document, steps, new);
    true
}

fn number(random: &mut Random) -> Value {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(9),
        json!(47),
        json!(443),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(-0.0),
    ];
    random.one(&numbers).cloned().unwrap_or_default()
}

fn list(inner: Value, texts: &[String], random: &mut Random) -> Value {
    let some = random.one(texts).cloned().unwrap_or_default();
    match random.below(5) {
        0 => json!([]),
        1 => json!([inner]),
        2 => json!([some, inner]),
        3 => json!([1, some]),
        _ => json!([[inner], null]),
    }
}

fn object(inner: Value, random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!({}),
        1 => json!({ "a": inner }),
        2 => json!({ "0": inner, "1": 1 }),
        _ => json!({ "claims": { "sub": inner } }),
    }
}

/// A text that is nearly one that the policy mentions, or nearly the old one, or neither.
pub(super) fn text(old: Option<&str>, texts: &[String], random: &mut Random) -> String {
    let base = match (old, random.once_in(2)) {
        (Some(old), true) => old,
        _ => random.one(texts).map_or("", String::as_str),
    };
    near(base, random)
}

/// The text itself, or one that differs from it as little as can be.
pub(super) fn near(base: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = base.chars().collect();
    match random.below(9) {
        0 => return base.to_owned(),
        1 => return String::new(),
        2 => return format!("{base}x"),
        3 => return format!("x{base}"),
        4 => return base.to_uppercase(),
        5 => drop(characters.pop()),
        6 => characters.push('\u{301}'),
        7 => return format!("{base}/"),
        _ => {
            let index = random.below(characters.len());
            if let Some(character) = characters.get_mut(index) {
                *character = if *character == 'q' { 'é' } else { 'q' };
            }
        }
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_one_of_the_kind() {
        let place = [Step::Key("a".to_owned())];
        for (number, kind) in Kind::ALL.into_iter().cycle().take(700).enumerate() {
            let mut document = json!({ "a": "old", "b": 1 });
            let mut random = Random::of(5, number);
            let is_other = flip(&mut document, &place, kind, &["old".to_owned()], &mut random);
            assert_eq!(is_other, document != json!({ "a": "old", "b": 1 }), "{document}");
            let is_of_kind = match (kind, document.get("a")) {
                (Kind::Number, Some(value)) => value.is_number(),
                (Kind::List, Some(value)) => value.is_array(),
                (Kind::Null, Some(value)) => value.is_null(),
                (Kind::Missing, value) => value.is_none(),
                (Kind::Object, Some(value)) => value.is_object(),
                (Kind::Boolean, Some(value)) => value.is_boolean(),
                (Kind::Text, Some(value)) => value.is_string(),
                (_, None) => false,
            };
            assert!(is_of_kind, "{kind:?} {document}");
        }
    }
}
