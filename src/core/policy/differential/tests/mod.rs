//! The ways against the meaning, wrong ways against the comparison, and the table of policies on
//! which engines disagree.

mod small;
mod table;
mod wrong;

use super::*;
use crate::policy::{Files, Revision};

fn files(pairs: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec()).unwrap();
    }
    files
}

#[track_caller]
fn load(files: &Files) -> Bundle {
    match Bundle::load(files, Revision::default()) {
        Ok((bundle, _)) => bundle,
        Err(findings) => panic!("{findings}"),
    }
}
