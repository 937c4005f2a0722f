//! Names and values read eight bytes at a time: every header of every request passes here.

/// The first and the last eight bytes of a text, twice four of a shorter one: up to 16 bytes it is
/// whole, and of a longer one it is most of what tells it from others. A missing byte is zero.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Ends {
    #[inline]
    pub(super) const fn of(text: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            return Self { first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last) };
        }
        let (first, last) = match (text.first_chunk(), text.last_chunk(), text) {
            (Some(first), Some(last), _) => (u32::from_le_bytes(*first), u32::from_le_bytes(*last)),
            (_, _, [a]) => (u32::from_le_bytes([*a, 0, 0, 0]), 0),
            (_, _, [a, b]) => (u32::from_le_bytes([*a, *b, 0, 0]), 0),
            (_, _, [a, b, c]) => (u32::from_le_bytes([*a, *b, *c, 0]), 0),
            _ => (0, 0),
        };
        Self { first: first as u64, last: last as u64 }
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// Whether a name, of which these are the ends, has a `_`.
#[inline]
pub(super) fn has_underscore(name: &[u8], ends: Ends) -> bool {
    let mut seen = underscores(ends.first) | underscores(ends.last);
    if name.len() > 16 {
        for word in name.as_chunks().0 {
            seen |= underscores(u64::from_le_bytes(*word));
        }
    }
    seen != 0
}

/// Not zero where a byte of the word is `_`.
#[inline]
fn underscores(word: u64) -> u64 {
    let other = word ^ (ONES * b'_' as u64);
    // A zero byte borrows from above; names are ASCII, so nothing else sets these bits.
    other.wrapping_sub(ONES) & !other & HIGH
}

/// Whether a text has no byte above ASCII.
#[inline]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    let Some(end) = text.last_chunk::<32>() else {
        return match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => high(first) | high(last) == 0,
            _ => {
                let ends = Ends::of(text);
                (ends.first | ends.last) & HIGH == 0
            }
        };
    };
    let high32 =
        |word: &[u8; 32]| word.as_chunks().0.iter().fold(0, |seen, half| seen | high(half));
    let words = text.as_chunks().0.iter();
    words.fold(high32(end), |seen, word| seen | high32(word)) == 0
}

#[inline]
fn high(word: &[u8; 16]) -> u128 {
    u128::from_le_bytes(*word) & u128::from_le_bytes([0x80; 16])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length up to the third word of either size, with the byte at every place.
    #[test]
    fn no_byte_is_overlooked_at_any_place() {
        for length in 0..=50 {
            let plain = vec![b'a'; length];
            assert!(is_ascii(&plain) && !has_underscore(&plain, Ends::of(&plain)), "{length}");
            for place in 0..length {
                let mut text = plain.clone();
                text[place] = b'_';
                assert!(has_underscore(&text, Ends::of(&text)), "{place} of {length}");
                text[place] = 0x80;
                assert!(!is_ascii(&text), "{place} of {length}");
            }
        }
    }

    #[test]
    fn neighbours_of_an_underscore_are_none() {
        for byte in (0x21..0x7f).filter(|b| *b != b'_') {
            let name = [byte; 20];
            assert!(!has_underscore(&name, Ends::of(&name)), "{byte}");
        }
    }
}
