//! What a route may keep that is refused or removed otherwise.

use super::refusal::Refusal;

/// The relaxations of one route; none by default. Each leaves the bytes as they came, for policy and
/// for the upstream alike: nothing is resolved or merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Relaxed {
    /// `%2F` stays encoded within its segment. `%5C` is refused all the same.
    pub encoded_slashes: bool,
    /// `//` stays, but at the beginning of the path.
    pub empty_segments: bool,
    /// Header names with `_` stay, unless with `-` they would be one that is removed, stands once or
    /// is there too.
    pub underscore_headers: bool,
    /// What proxies before the caller say of the request stays: `x-forwarded-for` and its like.
    pub forwarded_headers: bool,
}

impl Relaxed {
    /// Every relaxation: what some route could have let through.
    pub const ALL: Self = Self {
        encoded_slashes: true,
        empty_segments: true,
        underscore_headers: true,
        forwarded_headers: true,
    };

    /// The first thing in a head that these relaxations do not cover. Forwarded headers are no reason
    /// to refuse: they are removed.
    pub(super) fn refusal(self, needed: Self) -> Option<Refusal> {
        if needed.encoded_slashes && !self.encoded_slashes {
            Some(Refusal::EncodedSlash)
        } else if needed.empty_segments && !self.empty_segments {
            Some(Refusal::EmptySegment)
        } else if needed.underscore_headers && !self.underscore_headers {
            Some(Refusal::HeaderByte)
        } else {
            None
        }
    }
}
