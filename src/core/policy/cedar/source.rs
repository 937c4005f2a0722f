//! The files of a bundle that Cedar reads, as text within limits.

use super::Findings;
use crate::policy::{Files, text};

/// Ten thousand policies of people's size are about 2 MiB.
const MAX_POLICY_FILE_BYTES: usize = 4 << 20;
/// Ours is 3 KiB.
const MAX_SCHEMA_BYTES: usize = 256 << 10;
/// The limit on entities is met first.
const MAX_DATA_BYTES: usize = 8 << 20;

/// One file of a bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

pub(super) fn policies<'a>(files: &'a Files, findings: &mut Findings) -> Vec<Source<'a>> {
    texts(files, findings, MAX_POLICY_FILE_BYTES, is_policy)
}

pub(super) fn schemas<'a>(files: &'a Files, findings: &mut Findings) -> Vec<Source<'a>> {
    texts(files, findings, MAX_SCHEMA_BYTES, |file| file.ends_with(".cedarschema"))
}

/// Files of this name in any folder: one that is overlooked would be a group without members.
pub(super) fn data<'a>(files: &'a Files, name: &str, findings: &mut Findings) -> Vec<Source<'a>> {
    texts(files, findings, MAX_DATA_BYTES, |file| file.rsplit('/').next() == Some(name))
}

pub(super) fn is_policy(file: &str) -> bool {
    file.ends_with(".cedar")
}

fn texts<'a>(
    files: &'a Files,
    findings: &mut Findings,
    max_bytes: usize,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<Source<'a>> {
    let mut sources = Vec::new();
    for (file, content) in files.iter().filter(|(file, _)| is_wanted(file)) {
        if content.len() > max_bytes {
            findings.error(file, 0, 0, format!("the file is larger than {max_bytes} bytes"));
            continue;
        }
        let text = match file.rsplit('.').next() {
            Some("json") => text::text(file, content, findings),
            _ => text::policy_text(file, content, findings),
        };
        sources.extend(text.map(|text| Source { file, text }));
    }
    sources
}
