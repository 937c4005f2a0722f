//! DER of private keys: sequences, unsigned integers and strings, one element after the other.

/// Elements still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag and the content of the next element; only the shortest form of a length is read.
    pub(super) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 | 0x82 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 3))?;
                let value = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                let least = if first == 0x81 { 0x80 } else { 0x100 };
                (value >= least).then_some((value, rest))?
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, which has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut next = *self;
        let (found, content) = next.element()?;
        (found == tag).then(|| *self = next)?;
        Some(content)
    }

    /// An integer that is not negative, without leading zeros.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.expect(INTEGER)? {
            [] => None,
            [0] => Some(&[]),
            [0, rest @ ..] => rest.first().is_some_and(|byte| *byte >= 0x80).then_some(rest),
            content => content.first().is_some_and(|byte| *byte < 0x80).then_some(content),
        }
    }

    /// The elements of a sequence that is all there is.
    pub(super) fn only_sequence(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Self(bytes);
        let content = reader.expect(SEQUENCE)?;
        reader.is_empty().then_some(Self(content))
    }
}
