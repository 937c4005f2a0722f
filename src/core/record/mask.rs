//! How a record says what it does not hold: each omission by the rules of [`crate::masking`] leaves
//! its JSON pointer in `masked`, and a replay that needs the field says `not_replayable` instead of
//! guessing.

use super::json;

/// Far more than a browser sends; beyond it the parent is named.
const MAX_POINTERS: usize = 32;
const MAX_NAME_BYTES: usize = 64;

/// The JSON pointers of what was masked or cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    text: Vec<u8>,
    count: usize,
}

impl Pointers {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.count = 0;
    }

    pub(super) fn add(&mut self, pointer: &str) {
        self.push(pointer, "");
    }

    pub(super) fn add_once(&mut self, pointer: &str) {
        if !self.holds(pointer) {
            self.push(pointer, "");
        }
    }

    /// Adds a member of an object, or the object itself where there are too many.
    pub(super) fn add_member(&mut self, parent: &str, name: &str) {
        if self.count < MAX_POINTERS && name.len() <= MAX_NAME_BYTES {
            self.push(parent, name);
        } else {
            self.add_once(parent);
        }
    }

    /// Appends the list's elements.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.strip_prefix(b",").unwrap_or_default());
    }

    fn push(&mut self, pointer: &str, name: &str) {
        self.text.extend_from_slice(b",\"");
        self.text.extend_from_slice(pointer.as_bytes());
        if !name.is_empty() {
            self.text.push(b'/');
            // A header's name is a token: of what a pointer or a string escapes it can hold only `~`.
            for byte in name.bytes() {
                match byte {
                    b'~' => self.text.extend_from_slice(b"~0"),
                    token => self.text.push(token),
                }
            }
        }
        self.text.push(b'"');
        self.count += 1;
    }

    fn holds(&self, pointer: &str) -> bool {
        let mut quoted = Vec::new();
        json::string(&mut quoted, pointer.as_bytes(), 256);
        self.text.windows(quoted.len()).any(|window| window == quoted)
    }
}
