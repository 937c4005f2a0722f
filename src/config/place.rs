//! Which field is meant, as a JSON pointer for the machine and as a path for people, and where it
//! stands in the file.

use std::fmt;

/// Line and column in the file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// A field of the file, held as a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At(String);

impl At {
    pub(super) fn root() -> Self {
        Self(String::new())
    }

    pub(super) fn of(pointer: &str) -> Self {
        Self(pointer.to_owned())
    }

    pub(super) fn key(&self, key: &str) -> Self {
        Self(format!("{}/{}", self.0, key.replace('~', "~0").replace('/', "~1")))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    pub(super) fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    pub(super) fn pointer(&self) -> &str {
        &self.0
    }

    /// The pointer's parts, unescaped.
    pub(super) fn parts(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"))
    }
}

/// As people write it: `listeners[0].routes[2].path`. Empty for the whole file.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.parts().enumerate() {
            if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
                write!(f, "[{part}]")?;
                continue;
            }
            if position > 0 {
                f.write_str(".")?;
            }
            f.write_str(&super::quote::shown(&part))?;
        }
        Ok(())
    }
}
