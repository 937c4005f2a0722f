//! What only files do: several of them, changed one after the other, by anybody.

use super::*;

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::sources::{Kind, Scene, on_both, pem, trouble};
use crate::identity::Health;

async fn files(test: impl AsyncFn(Scene)) {
    on_both(async |scene| {
        if scene.kind == Kind::Files {
            test(scene).await;
        }
    })
    .await;
}

/// The file is replaced by this text, and a first identity is refused with these words.
async fn check_refused(name: &str, text: &str, words: &str) {
    files(async |scene| {
        scene.put(name, text);
        let told = trouble(&scene.follow(), "identity.update_rejected").await;
        assert!(told.text.contains(words), "{}", told.text);
    })
    .await;
}

#[tokio::test]
async fn files_that_are_wrong_are_named_with_the_line() {
    let pair = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    for (name, text, words) in [
        ("svid.pem", "", "there is no `BEGIN CERTIFICATE` in `"),
        (
            "svid.pem",
            "x\n-----BEGIN CERTIFICATE-----\nAA\n",
            "svid.pem:2` is no PEM: the section has",
        ),
        ("svid.pem", &pem("CERTIFICATE", b"x"), "svid.pem:1` holds no certificate"),
        ("key.pem", "", "there is no `BEGIN PRIVATE KEY`"),
        ("key.pem", &pair.repeat(2), "key.pem:4` has a second private key"),
        ("key.pem", pair, "key.pem` is no SVID that we can present: the private key cannot"),
        ("key.pem", &pem("ENCRYPTED PRIVATE KEY", b"x"), "key.pem:1` is encrypted"),
        ("a.test.pem", " \n", "the bundle of our own trust domain `a.test` is empty"),
        ("a.test.pem", "no PEM", "there is no `BEGIN CERTIFICATE` in `"),
    ] {
        check_refused(name, text, words).await;
    }
}

#[tokio::test]
async fn a_key_that_others_may_reach_is_refused_and_one_of_a_group_is_not() {
    files(async |scene| {
        let mode = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(scene.path("key.pem"), mode).unwrap();
        };
        mode(0o640);
        snapshot(&scene.follow(), "ready", |_| true).await;
        mode(0o644);
        let told = trouble(&scene.follow(), "identity.update_rejected").await;
        assert!(told.text.contains("has mode 0644: other users may reach it"), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn a_certificate_without_its_key_is_an_update_under_way() {
    files(async |scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        let issued = scene.api().issue(&id("spiffe://a.test/web")).unwrap();
        scene.put("svid.pem", &pem("CERTIFICATE", &issued.chain_der()));
        let told = trouble(&identity, "identity.update_rejected").await;
        assert!(told.text.contains("if they are being replaced, this ends by itself"), "{told:?}");
        assert_eq!(identity.current().unwrap().sequence, first.sequence);
        scene.put("key.pem", &pem("PRIVATE KEY", issued.key_der()));
        snapshot(&identity, "rotated", |s| s.sequence == 2).await;
        assert_eq!(identity.health(), Health::Good);
    })
    .await;
}

#[tokio::test]
async fn a_directory_that_is_swapped_by_a_link_is_followed() {
    files(async |scene| {
        // As Kubernetes mounts a secret: files are links into `..data`, which is swapped whole.
        let names = ["svid.pem", "key.pem", "a.test.pem"];
        let store = |version: &str| {
            std::fs::create_dir(scene.path(version)).unwrap();
            for name in names {
                std::fs::rename(scene.path(name), scene.path(version).join(name)).unwrap();
            }
        };
        store("one");
        scene.write();
        store("two");
        symlink("one", scene.path("..data")).unwrap();
        for name in names {
            symlink(format!("..data/{name}"), scene.path(name)).unwrap();
        }
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        symlink("two", scene.path("..next")).unwrap();
        std::fs::rename(scene.path("..next"), scene.path("..data")).unwrap();
        let second = snapshot(&identity, "swapped", |s| s.sequence == 2).await;
        assert_ne!(first.svid.certified_key.cert, second.svid.certified_key.cert);
        std::fs::remove_file(scene.path("..data")).unwrap();
        let told = trouble(&identity, "identity.update_rejected").await;
        assert!(told.text.contains("failed to read `"), "{told:?}");
        assert_eq!(identity.current().unwrap().sequence, 2);
    })
    .await;
}
