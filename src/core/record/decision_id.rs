//! Decision IDs: `UUIDv7` (RFC 9562 §5.7), so that they sort by time and are found by it.

use std::fmt;

use crate::Timestamp;

const LENGTH: usize = 36;

/// The name of one decision, in the record and on the wire: a `UUIDv7` in its lower-case text form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId {
    text: [u8; LENGTH],
}

/// A text that is not a `UUIDv7` in lower case with hyphens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a decision id such as `01936a3e-5d2c-7f10-8a4b-0123456789ab`")]
pub struct DecisionIdError {
    text: String,
}

impl DecisionId {
    /// Makes an ID of a time and 74 of the 80 random bits.
    #[must_use]
    pub fn new(time: Timestamp, random: [u8; 10]) -> Self {
        let millis = time.unix_micros().div_euclid(1_000).max(0).to_be_bytes();
        let [_, _, m0, m1, m2, m3, m4, m5] = millis;
        let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = random;
        let (version, variant) = (0x70 | (r0 & 0x0f), 0x80 | (r2 & 0x3f));
        Self::of([m0, m1, m2, m3, m4, m5, version, r1, variant, r3, r4, r5, r6, r7, r8, r9])
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The text is not a `UUIDv7`, or not in lower case with hyphens.
    pub fn parse(text: &str) -> Result<Self, DecisionIdError> {
        let is_legal = |(at, byte): (usize, &u8)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'7',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        match <[u8; LENGTH]>::try_from(text.as_bytes()) {
            Ok(bytes) if bytes.iter().enumerate().all(is_legal) => Ok(Self { text: bytes }),
            _ => Err(DecisionIdError { text: text.chars().take(64).collect() }),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default() // only hexadecimal digits and hyphens
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    fn of(bytes: [u8; 16]) -> Self {
        let mut text = [b'-'; LENGTH];
        // Two digits for each byte, leaving out the four places of the hyphens.
        let places = (0..LENGTH).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
        let mut digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        for place in places {
            if let (Some(slot), Some(digit)) = (text.get_mut(place), digits.next()) {
                *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            }
        }
        Self { text }
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_version_variant_and_milliseconds() {
        // RFC 9562 §A.6: 2022-02-22T14:22:22-05:00, rand_a 0xcc3, rand_b 0x18c4dc0c0c07398f.
        let time = Timestamp::parse("2022-02-22T14:22:22-05:00").unwrap();
        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = DecisionId::new(time, random);
        assert_eq!(id.as_str(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(DecisionId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn ids_sort_by_time_and_a_time_before_1970_is_no_overflow() {
        let at = |seconds| DecisionId::new(Timestamp::from_unix_seconds(seconds), [0xff; 10]);
        assert!(at(1) < at(2));
        assert!(at(-5) < at(1));
    }

    #[test]
    fn what_is_not_a_uuid_of_version_7_is_refused() {
        for text in [
            "",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
            "017f22e279b07cc398c4dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f ",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398\u{fc}",
        ] {
            assert!(DecisionId::parse(text).is_err(), "{text}");
        }
    }
}
