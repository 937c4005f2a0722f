//! Entry points of this package's fuzz targets; those of the pure half are in `portreeve-core`.

use std::path::Path;

use serde_json::Value;

use crate::config;
use crate::loader::{self, Assignment};

/// A frame that is read is written as a frame that is read as the same message.
pub fn fuzz_loader_frame(data: &[u8]) {
    let _ = loader::decode::<Assignment>(data);
    if let Ok(message) = loader::decode::<Value>(data) {
        let again = loader::encode(&message).and_then(|frame| loader::decode::<Value>(&frame));
        assert!(again.is_ok_and(|again| again == message));
    }
}

/// No text makes reading a configuration panic, and each error has its text.
pub fn fuzz_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(errors) = config::parse(text, Path::new("/etc/portreeve"), &|_| None) {
        assert!(!errors.to_string().is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs every file of a target's folder through it; one that is gone or empty fails.
    fn replay(target: &str, entry: fn(&[u8])) {
        let folder = format!("{}/tests/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            entry(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{folder} is empty");
    }

    #[test]
    fn the_corpus_holds() {
        replay("loader_frame", fuzz_loader_frame);
        replay("config", fuzz_config);
    }
}
