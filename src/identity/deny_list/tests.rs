use std::fs;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::SpiffeId;

use super::file::FILE_NAME;
use super::*;

const DOMAIN: &str = "spiffe://partner.test";
const WEB: &str = "spiffe://partner.test/web";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn denial(id: &str, until: Option<i64>) -> Denial {
    let reason = "its key leaked".to_owned();
    Denial { spiffe_id: id.to_owned(), reason, since: at(100), until: until.map(at) }
}

#[track_caller]
fn check(list: &DenyListFile, id: &str, now: i64, expected: Option<&str>) {
    let current = list.current();
    let denial = current.denies(&SpiffeId::parse(id).unwrap(), at(now));
    assert_eq!(denial.map(|denial| denial.spiffe_id.as_str()), expected);
}

#[test]
fn an_id_blocks_itself_and_a_trust_domain_all_that_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let list = DenyListFile::open(dir.path()).unwrap();
    check(&list, WEB, 100, None);
    list.block(denial(WEB, None)).unwrap();
    check(&list, WEB, 100, Some(WEB));
    check(&list, "spiffe://partner.test/web/2", 100, None);
    list.block(denial(DOMAIN, None)).unwrap();
    check(&list, "spiffe://partner.test/web/2", 100, Some(DOMAIN));
    check(&list, "spiffe://sub.partner.test/web", 100, None);
}

#[test]
fn an_entry_ends_by_the_clock_and_is_then_taken_off() {
    let dir = tempfile::tempdir().unwrap();
    let list = DenyListFile::open(dir.path()).unwrap();
    list.block(denial(WEB, Some(200))).unwrap();
    check(&list, WEB, 199, Some(WEB));
    check(&list, WEB, 200, None);
    assert_eq!(list.remove_expired(at(199)).unwrap(), []);
    assert_eq!(list.remove_expired(at(200)).unwrap(), [denial(WEB, Some(200))]);
    assert!(list.current().is_empty());
}

#[test]
fn the_list_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let before = DenyListFile::open(dir.path()).unwrap();
    before.block(denial(WEB, Some(300))).unwrap();
    before.block(denial(DOMAIN, None)).unwrap();
    assert_eq!(before.unblock(DOMAIN).unwrap(), Some(denial(DOMAIN, None)));
    assert_eq!(before.unblock(DOMAIN).unwrap(), None);
    let after = DenyListFile::open(dir.path()).unwrap();
    assert_eq!(after.current().entries(), [denial(WEB, Some(300))]);
}

#[test]
fn a_second_block_of_the_same_id_takes_the_place_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let list = DenyListFile::open(dir.path()).unwrap();
    list.block(denial(WEB, Some(200))).unwrap();
    list.block(denial(WEB, None)).unwrap();
    assert_eq!(list.current().entries(), [denial(WEB, None)]);
}

#[test]
fn a_change_wakes_whoever_waits_and_is_seen_then() {
    let dir = tempfile::tempdir().unwrap();
    let list = DenyListFile::open(dir.path()).unwrap();
    let mut changes = list.changes();
    list.block(denial(WEB, None)).unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    list.unblock("spiffe://partner.test/other").unwrap();
    assert!(!changes.has_changed().unwrap(), "nothing changed");
}

#[test]
fn what_cannot_be_an_entry_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let list = DenyListFile::open(dir.path()).unwrap();
    let long = "x".repeat(MAX_REASON_BYTES + 1);
    for (id, reason) in [("partner.test", "r"), ("spiffe://A/b", "r"), (WEB, " "), (WEB, &long)] {
        let reason = reason.to_owned();
        list.block(Denial { reason, ..denial(id, None) }).unwrap_err();
    }
    assert!(list.current().is_empty());
    assert!(!dir.path().join(FILE_NAME).exists());
}

#[test]
fn a_file_that_is_not_understood_stops_the_start() {
    for (text, expected) in [
        ("{", "is not understood"),
        ("", "is not understood"),
        (r#"{"version":1,"blocked":[{"spiffe_id":"x"}]}"#, "is not understood"),
        (r#"{"version":1,"blocked":[],"more":1}"#, "is not understood"),
        (r#"{"version":2,"denied":[]}"#, "has version 2"),
        (
            r#"{"version":1,"blocked":[{"spiffe_id":"spiffe://a.test/","reason":"r","since":"2026-01-01T00:00:00Z","until":null}]}"#,
            "an entry that cannot be",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), text).unwrap();
        let error = DenyListFile::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_list_that_cannot_be_written_blocks_all_the_same_and_unblocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let list = DenyListFile::open(&state).unwrap();
    list.block(denial(WEB, None)).unwrap();
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "a file where the folder should be").unwrap();
    let other = "spiffe://partner.test/other";
    let error = list.block(denial(other, None)).unwrap_err();
    assert!(matches!(error, DenyListError::Write { .. }), "{error}");
    check(&list, other, 100, Some(other));
    list.unblock(WEB).unwrap_err();
    check(&list, WEB, 100, Some(WEB));
}
