//! Where a load stands, for whoever watches one that may never return.
//!
//! A hostile policy can hang or abort the process that reads it. The watcher of a thread is told of
//! each step before it is taken, so that the last one told is the place.

use std::cell::Cell;

thread_local! {
    static WATCHER: Cell<Option<fn(&str)>> = const { Cell::new(None) };
}

/// From now on tells `watcher` of every step that this thread takes: `orders.rego`, or
/// `orders_test.rego:12` where the line is known.
pub fn watch(watcher: fn(&str)) {
    WATCHER.set(Some(watcher));
}

/// The whole of a file is about to be read.
pub(super) fn at_file(file: &str) {
    if let Some(tell) = WATCHER.get() {
        tell(file);
    }
}

/// What stands on this line is about to be run.
pub(super) fn at_line(file: &str, line: u32) {
    if let Some(tell) = WATCHER.get() {
        tell(&format!("{file}:{line}"));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::{Bundle, Files, Revision};
    use super::*;

    thread_local! {
        static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn every_file_is_told_of_before_it_is_read() {
        watch(|place| SEEN.with_borrow_mut(|seen| seen.push(place.to_owned())));
        let mut files = Files::default();
        for (path, text) in [
            ("a.cedar", "permit(principal, action, resource);"),
            ("b.rego", "package authz\n\nallow := true\n"),
            ("c/data.json", "{}"),
            ("README", ""),
        ] {
            files.insert(path, text.as_bytes().to_vec()).unwrap();
        }
        Bundle::load(&files, Revision::default()).unwrap();
        let seen = SEEN.take();
        for file in ["a.cedar", "b.rego", "c/data.json"] {
            assert!(seen.iter().any(|place| place == file), "{file} is not among {seen:?}");
        }
        assert!(!seen.contains(&"README".to_owned()));
    }
}
