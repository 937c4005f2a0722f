//! Where each key of the data files stands, found in one pass over each file.

use std::collections::BTreeMap;
use std::sync::Arc;

use marked_yaml::Node;

use super::super::super::Files;
use super::super::super::cases::yaml;
use super::super::super::places::end_of_string;

/// Paths below `data` with the file and the line, from 1, of their last key.
pub(super) type Keys = BTreeMap<Vec<String>, (Arc<str>, u32)>;

/// The keys of all data files; what lies inside an array has none.
pub(super) fn keys_of(files: &Files) -> Keys {
    let mut keys = Keys::new();
    for (file, content) in files.iter() {
        let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
        let Ok(text) = std::str::from_utf8(content) else { continue };
        let parts = directory.split('/').filter(|part| !part.is_empty());
        let mut found = Found { file: file.into(), path: parts.map(str::to_owned).collect(), keys };
        match name {
            "data.json" => found.in_json(text),
            "data.yaml" | "data.yml" => {
                if let Ok(root) = yaml::parse(text) {
                    found.in_yaml(&root);
                }
            }
            _ => {}
        }
        keys = found.keys;
    }
    keys
}

struct Found {
    file: Arc<str>,
    path: Vec<String>,
    keys: Keys,
}

/// A bracket that is open in JSON.
enum Open {
    Object {
        /// A key is next, and no value.
        at_key: bool,
        /// The last part of the path is a key of this object.
        has_key: bool,
    },
    Array,
}

impl Found {
    fn add(&mut self, line: u32) {
        self.keys.entry(self.path.clone()).or_insert_with(|| (Arc::clone(&self.file), line));
    }

    /// The text is JSON; the loader has read it.
    fn in_json(&mut self, text: &str) {
        let mut open: Vec<Open> = Vec::new();
        let (mut line, mut at) = (1_u32, 0);
        let mut arrays = 0_usize;
        while let Some(byte) = text.as_bytes().get(at).copied() {
            let start = at;
            at += 1;
            match byte {
                b'\n' => line = line.saturating_add(1),
                b'"' => {
                    at = end_of_string(text, start);
                    if let Some(Open::Object { at_key: at_key @ true, has_key }) = open.last_mut() {
                        *at_key = false;
                        if arrays == 0 {
                            *has_key = true;
                            let quoted = text.get(start..at).unwrap_or_default();
                            self.path.push(serde_json::from_str(quoted).unwrap_or_default());
                            self.add(line);
                        }
                    }
                }
                b'{' => open.push(Open::Object { at_key: true, has_key: false }),
                b'[' => {
                    arrays += 1;
                    open.push(Open::Array);
                }
                b',' => {
                    if let Some(Open::Object { at_key, has_key }) = open.last_mut() {
                        *at_key = true;
                        if std::mem::take(has_key) {
                            self.path.pop();
                        }
                    }
                }
                b'}' | b']' => match open.pop() {
                    Some(Open::Object { has_key: true, .. }) => drop(self.path.pop()),
                    Some(Open::Array) => arrays = arrays.saturating_sub(1),
                    Some(Open::Object { .. }) | None => {}
                },
                _ => {}
            }
        }
    }

    /// The reader of YAML bounds the depth.
    fn in_yaml(&mut self, node: &Node) {
        if let Node::Mapping(entries) = node {
            for (key, value) in entries.iter() {
                self.path.push(key.as_str().to_owned());
                let line = key.span().start().map_or(0, |start| start.line());
                self.add(u32::try_from(line).unwrap_or(u32::MAX));
                self.in_yaml(value);
                self.path.pop();
            }
        }
    }
}
