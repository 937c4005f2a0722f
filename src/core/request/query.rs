//! The query: never changed, only limited; and its pairs as policy sees them.

use super::refusal::Refusal;

/// What common servers take at most (PHP and Tomcat: 1,000): beyond it each drops other pairs.
pub(super) const MAX_PAIRS: usize = 1000;
/// Policy decodes all of it; a listener's `header_bytes` is smaller unless it was raised.
pub(super) const MAX_BYTES: usize = 32 << 10;

/// Refuses a query with too much in it, or with a byte that servers read in their own encodings.
pub(super) fn check(query: &str) -> Result<(), Refusal> {
    let bytes = query.as_bytes();
    let is_legal = bytes.iter().fold(true, |is_legal, b| is_legal & matches!(b, 0x21..=0x7e));
    let is_short = bytes.len() <= MAX_BYTES;
    // So short a query cannot have too many pairs, and counting is not free.
    let is_few = bytes.len() < MAX_PAIRS
        || bytes.iter().filter(|b| **b == b'&').take(MAX_PAIRS).count() < MAX_PAIRS;
    if is_legal && is_short && is_few { Ok(()) } else { Err(Refusal::Query) }
}

pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(key), decode_form(value))
    })
}

/// Decodes `+` and percent-encodings; what is not valid stays as it was sent, so that nothing is lost.
fn decode_form(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        rest = match hex {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                tail.get(2..).unwrap_or_default()
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                tail
            }
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_order_and_lose_nothing() {
        let pairs: Vec<_> = pairs("a=1&a=2&b&c=%41+%zz&=x").collect();
        let expected = [("a", "1"), ("a", "2"), ("b", ""), ("c", "A %zz"), ("", "x")];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_query_has_a_length_and_a_number_of_pairs() {
        assert_eq!(check(&"a&".repeat(MAX_PAIRS - 1)), Ok(()));
        assert_eq!(check(&"a&".repeat(MAX_PAIRS)), Err(Refusal::Query));
        assert_eq!(check(&"a".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(check(&"a".repeat(MAX_BYTES + 1)), Err(Refusal::Query));
    }

    #[test]
    fn a_query_is_printable_ascii() {
        assert_eq!(check("a=%00&b=%c3%bc&c=\"<>{}|^`\\"), Ok(()));
        for query in ["a=\u{fc}", "a=\u{ff06}b", "a b", "a\0", "a\n", "a\x7f"] {
            assert_eq!(check(query), Err(Refusal::Query), "{query:?}");
        }
    }
}
