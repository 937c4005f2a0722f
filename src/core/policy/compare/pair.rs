//! Which item of one bundle is which of the other, and what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::lines::{Line, difference};
use super::{Aspect, Item, ItemKind};

/// Pairs of items whose likeness is looked at, of one name: above it they are taken in their order.
const MAX_PAIRS: usize = 250_000;
/// Of one item, for its likeness: people write definitions of tens of words, and what begins alike for
/// so long is the same one changed.
const MAX_WORDS: usize = 1_000;
/// Words over all pairs of a comparison, seconds of work at most: those of 500 definitions of one rule
/// on either side with 100 words each. What is above it is taken in its order.
const MAX_LOOKED_AT: usize = 50_000_000;
/// Two definitions of one rule are the same one changed if they share this much, in hundredths.
const ALIKE: usize = 50;

/// What is different about one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ItemKind,
    pub how: How,
    /// In the second bundle, or in the first where it is there no more.
    pub name: String,
    /// The name in the first bundle, of what was renamed.
    pub was: Option<String>,
    /// Which aspects differ: of a Cedar policy `effect`, `conditions` and so on.
    pub aspects: Vec<String>,
    pub a: Option<Place>,
    pub b: Option<Place>,
    /// The entry rules whose value may depend on it, in either bundle.
    pub reaches: Vec<String>,
    pub lines: Vec<Line>,
}

/// A file of a bundle and a line of it, from 1; 0 when the whole file is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    pub line: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Added,
    Removed,
    Changed,
    /// It says what it said, under another name.
    Renamed,
    /// It says what it said, in another file: no difference between the bundles.
    Moved,
}

/// What may be the same, of the first bundle and of the second.
type Group<'a> = (Vec<&'a Item>, Vec<&'a Item>);

/// Of each item, sorted.
type Words<'a> = Vec<Vec<&'a str>>;

/// What leads from one bundle to the other, in the order of kinds and names.
#[must_use]
pub fn compare(a: &[Item], b: &[Item]) -> Vec<Change> {
    let mut groups: BTreeMap<(ItemKind, &str), Group<'_>> = BTreeMap::new();
    for item in a {
        groups.entry(key(item)).or_default().0.push(item);
    }
    for item in b {
        groups.entry(key(item)).or_default().1.push(item);
    }
    let mut found = Found::default();
    for (_, (a, b)) in groups {
        found.group(a, b);
    }
    found.renames();
    let Found { mut changes, removed, added, .. } = found;
    changes.extend(removed.into_iter().map(|item| change(How::Removed, Some(item), None)));
    changes.extend(added.into_iter().map(|item| change(How::Added, None, Some(item))));
    let place = |place: &Option<Place>| place.as_ref().map(|p| (p.file.clone(), p.line));
    changes.sort_by_cached_key(|c| (c.kind, c.name.clone(), place(&c.b), place(&c.a), c.how));
    changes
}

/// Items that may be the same one: those without a name are told apart by what they say.
fn key(item: &Item) -> (ItemKind, &str) {
    (item.kind, if item.is_named { &item.name } else { "" })
}

#[derive(Default)]
struct Found<'a> {
    changes: Vec<Change>,
    /// Words that the pairs so far were compared by.
    looked_at: usize,
    removed: Vec<&'a Item>,
    added: Vec<&'a Item>,
}

impl<'a> Found<'a> {
    fn group(&mut self, mut a: Vec<&'a Item>, mut b: Vec<&'a Item>) {
        let is_only = a.len() == 1 && b.len() == 1 && a.iter().all(|item| item.is_named);
        take_equal(&mut a, &mut b, |item| (&item.file, &item.aspects), |_, _| {});
        take_equal(
            &mut a,
            &mut b,
            |item| (&UNPLACED, &item.aspects),
            |a, b| self.changes.push(change(How::Moved, Some(a), Some(b))),
        );
        let least = if is_only { 0 } else { ALIKE };
        for (item_a, item_b) in alike(&mut a, &mut b, least, &mut self.looked_at) {
            self.changes.push(change(How::Changed, Some(item_a), Some(item_b)));
        }
        self.removed.extend(a);
        self.added.extend(b);
    }

    /// What is gone under one name and is there under another; a default follows its rule.
    fn renames(&mut self) {
        let is_telling = |item: &&Item| match item.kind {
            ItemKind::Rule
            | ItemKind::Policy
            | ItemKind::Template
            | ItemKind::Link
            | ItemKind::Test => true,
            ItemKind::Manifest
            | ItemKind::Default
            | ItemKind::Entity
            | ItemKind::Schema
            | ItemKind::Data => false,
        };
        let (mut a, rest_a) = self.removed.drain(..).partition::<Vec<_>, _>(is_telling);
        let (mut b, rest_b) = self.added.drain(..).partition::<Vec<_>, _>(is_telling);
        let mut names = BTreeSet::new();
        take_equal(
            &mut a,
            &mut b,
            |item| (item.kind, &item.aspects),
            |a, b| {
                names.insert((a.name.as_str(), b.name.as_str()));
                self.changes.push(change(How::Renamed, Some(a), Some(b)));
            },
        );
        let (mut rest_a, mut rest_b) = (rest_a, rest_b);
        for (from, to) in names {
            let find = |items: &[&Item], name: &str| {
                items.iter().position(|i| i.kind == ItemKind::Default && i.name == name)
            };
            if let (Some(at_a), Some(at_b)) = (find(&rest_a, from), find(&rest_b, to))
                && rest_a.get(at_a).map(|a| &a.aspects) == rest_b.get(at_b).map(|b| &b.aspects)
            {
                let (a, b) = (rest_a.remove(at_a), rest_b.remove(at_b));
                self.changes.push(change(How::Renamed, Some(a), Some(b)));
            }
        }
        self.removed = a.into_iter().chain(rest_a).collect();
        self.added = b.into_iter().chain(rest_b).collect();
    }
}

static UNPLACED: String = String::new();

/// Takes out, in their order, the items that have an equal on the other side.
fn take_equal<'a, K: std::hash::Hash + Eq + 'a>(
    a: &mut Vec<&'a Item>,
    b: &mut Vec<&'a Item>,
    key: impl Fn(&'a Item) -> K,
    mut taken: impl FnMut(&'a Item, &'a Item),
) {
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (at, item) in b.iter().enumerate() {
        waiting.entry(key(item)).or_default().push_back(at);
    }
    let mut gone = BTreeSet::new();
    a.retain(|item| {
        let found = waiting.get_mut(&key(item)).and_then(VecDeque::pop_front);
        let Some(at) = found else { return true };
        if let Some(other) = b.get(at) {
            taken(item, other);
        }
        gone.insert(at);
        false
    });
    let mut at = 0;
    b.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
}

/// Takes out the pairs that are most alike, as long as they are alike at all.
fn alike<'a>(
    a: &mut Vec<&'a Item>,
    b: &mut Vec<&'a Item>,
    least: usize,
    looked_at: &mut usize,
) -> Vec<(&'a Item, &'a Item)> {
    let mut candidates = Vec::new();
    let compared = compared_words(a, b, looked_at).filter(|_| least > 0);
    if let Some((words_a, words_b)) = compared {
        for (at_a, words_a) in words_a.iter().enumerate() {
            for (at_b, words_b) in words_b.iter().enumerate() {
                let likeness = likeness(words_a, words_b);
                if likeness >= least {
                    candidates.push((likeness, at_a, at_b));
                }
            }
        }
        candidates.sort_by(|x, y| y.0.cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    } else {
        candidates.extend((0..a.len().min(b.len())).map(|at| (0, at, at)));
    }
    let (mut taken_a, mut taken_b) = (BTreeSet::new(), BTreeSet::new());
    let mut pairs = Vec::new();
    for (_, at_a, at_b) in candidates {
        if taken_a.contains(&at_a) || taken_b.contains(&at_b) {
            continue;
        }
        taken_a.insert(at_a);
        taken_b.insert(at_b);
        pairs.extend(a.get(at_a).copied().zip(b.get(at_b).copied()));
    }
    keep(a, &taken_a);
    keep(b, &taken_b);
    pairs
}

/// The words of either side, while their pairs stay within the limits.
fn compared_words<'a>(
    a: &[&'a Item],
    b: &[&'a Item],
    looked_at: &mut usize,
) -> Option<(Words<'a>, Words<'a>)> {
    if a.len().saturating_mul(b.len()) > MAX_PAIRS {
        return None;
    }
    let [words_a, words_b] = [a, b].map(|items| items.iter().map(|i| words(i)).collect::<Vec<_>>());
    let count = |words: &[Vec<&str>]| words.iter().map(Vec::len).sum::<usize>();
    let of_a = count(&words_a).saturating_mul(b.len());
    let of_b = count(&words_b).saturating_mul(a.len());
    let after = looked_at.saturating_add(of_a).saturating_add(of_b);
    if after > MAX_LOOKED_AT {
        return None;
    }
    *looked_at = after;
    Some((words_a, words_b))
}

fn keep(items: &mut Vec<&Item>, taken: &BTreeSet<usize>) {
    let mut at = 0;
    items.retain(|_| {
        at += 1;
        !taken.contains(&(at - 1))
    });
}

fn words(item: &Item) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let meanings = item.aspects.iter().map(|aspect| aspect.meaning.as_str());
    let words =
        meanings.chain([item.text.as_str()]).flat_map(|text| text.split(move |c| !is_word(c)));
    let words = words.filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.take(MAX_WORDS).collect();
    words.sort_unstable();
    words
}

/// How much of two sorted lists is in both, in hundredths.
fn likeness(a: &[&str], b: &[&str]) -> usize {
    let (mut rest_a, mut rest_b) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0;
    while let (Some(x), Some(y)) = (rest_a.peek(), rest_b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => drop(rest_a.next()),
            std::cmp::Ordering::Greater => drop(rest_b.next()),
            std::cmp::Ordering::Equal => {
                shared += 1;
                rest_a.next();
                rest_b.next();
            }
        }
    }
    200 * shared / (a.len() + b.len()).max(1)
}

fn change(how: How, a: Option<&Item>, b: Option<&Item>) -> Change {
    let place = |item: &Item| Place { file: item.file.clone(), line: item.line };
    let both = || a.into_iter().chain(b);
    let name = b.or(a).map(|item| item.name.clone()).unwrap_or_default();
    let was = a.map(|item| item.name.clone()).filter(|was| how == How::Renamed && *was != name);
    let reaches: BTreeSet<String> = both().flat_map(|item| item.reaches.clone()).collect();
    let lines = match how {
        How::Added | How::Removed | How::Changed => lines(a, b),
        How::Renamed | How::Moved => Vec::new(),
    };
    Change {
        kind: b.or(a).map_or(ItemKind::Rule, |item| item.kind),
        how,
        name,
        was,
        aspects: match (a, b) {
            (Some(a), Some(b)) if how == How::Changed => differing(&a.aspects, &b.aspects),
            _ => Vec::new(),
        },
        a: a.map(place),
        b: b.map(place),
        reaches: reaches.into_iter().collect(),
        lines,
    }
}

fn differing(a: &[Aspect], b: &[Aspect]) -> Vec<String> {
    // Of one aspect there is nothing to choose from.
    if a.len() == 1 && b.len() == 1 {
        return Vec::new();
    }
    let mut names: Vec<&String> = Vec::new();
    for aspect in a.iter().chain(b) {
        if !names.contains(&&aspect.name) {
            names.push(&aspect.name);
        }
    }
    let of = |aspects: &[Aspect], name: &str| {
        aspects.iter().find(|aspect| aspect.name == name).map(|aspect| aspect.meaning.clone())
    };
    let names = names.into_iter().filter(|name| of(a, name) != of(b, name));
    names.cloned().collect()
}

/// As written; where that is the same, what it refers to is not, and the meanings are compared. Those
/// of a test hold what its text masks.
fn lines(a: Option<&Item>, b: Option<&Item>) -> Vec<Line> {
    let text = |item: Option<&Item>| item.map(|item| item.text.clone()).unwrap_or_default();
    let lines = difference(&text(a), &text(b));
    if !lines.is_empty() {
        return lines;
    }
    let meaning = |item: Option<&Item>| {
        let aspects = item.map(|item| item.aspects.as_slice()).unwrap_or_default();
        aspects.iter().map(|aspect| aspect.meaning.as_str()).collect::<Vec<_>>().join("\n")
    };
    match (a, b) {
        (Some(item), Some(_)) if item.kind != ItemKind::Test => {
            difference(&meaning(a), &meaning(b))
        }
        _ => Vec::new(),
    }
}
