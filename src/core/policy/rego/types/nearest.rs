//! The name that was probably meant.

/// A name further away than this is another one.
const MAX_DISTANCE: usize = 2;
/// Longer names are not compared.
const MAX_NAME_BYTES: usize = 64;

/// The candidate that the fewest edits away from `name`, if it is near.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let ranked = candidates.map(|candidate| (distance(name, candidate), candidate));
    let (edits, candidate) = ranked.min()?;
    (edits <= MAX_DISTANCE && edits < name.chars().count()).then_some(candidate)
}

/// How many characters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (index, x) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let candidates = ["source", "request", "headers", "tls"];
        for (name, expected) in [
            ("sorce", Some("source")),
            ("header", Some("headers")),
            ("requests", Some("request")),
            ("user", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, candidates.into_iter()), expected, "{name}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
