//! What every source must do, held against the Workload API and against files alike.

use super::*;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use base64::Engine as _;

use crate::clock::Evidence;
use crate::dev::{Authority, Fault};
use crate::identity::{FileSettings, Health, Trouble, Unavailable};

const INTERVAL: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Api,
    Files,
}

/// An embedded domain, and a source that says what it says.
struct Scene {
    kind: Kind,
    dir: tempfile::TempDir,
    api: Option<WorkloadApi>,
    clock: Clock,
}

/// The same on both sources.
async fn on_both(test: impl AsyncFn(Scene)) {
    for kind in [Kind::Api, Kind::Files] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Clock::system().now());
        let api = WorkloadApi::start(Settings { clock: clock.clone(), ..settings(&dir) }).unwrap();
        let scene = Scene { kind, dir, api: Some(api), clock };
        scene.write();
        // Empty: nobody of them is trusted, and there is nothing to tell.
        for name in ["b.test.pem", "c.test.pem"] {
            scene.put(name, "");
        }
        test(scene).await;
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

impl Scene {
    fn api(&self) -> &WorkloadApi {
        self.api.as_ref().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes an SVID and the bundle of the domain, as a helper of SPIRE would.
    fn write(&self) {
        let web = self.api().authority().trust_domain().to_string();
        let issued = self.api().issue(&id(&format!("spiffe://{web}/web"))).unwrap();
        self.put("svid.pem", &pem("CERTIFICATE", &issued.chain_der()));
        self.put("key.pem", &pem("PRIVATE KEY", issued.key_der()));
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path("key.pem"), mode).unwrap();
        let roots = self.api().bundle();
        let roots: String = roots.iter().map(|root| pem("CERTIFICATE", root)).collect();
        self.put(&format!("{web}.pem"), &roots);
    }

    fn settings(&self) -> identity::Settings {
        identity::Settings::new(match self.kind {
            Kind::Api => Source::WorkloadApi { socket: self.path("api.sock") },
            Kind::Files => Source::Files(FileSettings {
                certificate: self.path("svid.pem"),
                key: self.path("key.pem"),
                bundles: ["a.test", "b.test", "c.test"]
                    .map(|name| (domain(name), self.path(&format!("{name}.pem"))))
                    .into(),
                crls: Vec::new(),
                interval: INTERVAL,
            }),
        })
    }

    fn follow(&self) -> Identity {
        identity::spawn(&self.settings(), self.clock.clone())
    }

    /// The source has a new SVID.
    fn rotate(&self) {
        self.api().rotate_svids().unwrap();
        self.write();
    }

    /// The source gives what cannot be used.
    fn spoil(&self) {
        self.api().set_fault(Fault::GarbageBundle);
        self.put("a.test.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    }

    fn mend(&self) {
        self.api().set_fault(Fault::None);
        self.write();
    }
}

async fn trouble(identity: &Identity, reason: &str) -> Trouble {
    let mut updates = identity.source_updates();
    let wanted = |status: &identity::SourceStatus| {
        status.trouble.as_ref().is_some_and(|trouble| trouble.reason == reason)
    };
    let found = timeout(PATIENCE, updates.wait_for(wanted)).await;
    let found = found.unwrap_or_else(|_| panic!("no {reason}: {:?}", identity.source()));
    found.unwrap().trouble.clone().unwrap()
}

#[tokio::test]
async fn the_first_svid_comes_with_its_bundle() {
    on_both(async |scene| {
        let first = snapshot(&scene.follow(), "ready", |_| true).await;
        assert_eq!(first.svid.id, id("spiffe://a.test/web"));
        assert_eq!(first.bundles[&domain("a.test")], scene.api().bundle());
    })
    .await;
}

#[tokio::test]
async fn a_rotated_svid_replaces_the_first() {
    on_both(async |scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        scene.rotate();
        let second = snapshot(&identity, "rotated", |s| {
            s.svid.certified_key.cert != first.svid.certified_key.cert
        });
        assert!(second.await.sequence > first.sequence);
        assert_eq!(identity.health(), Health::Good);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_cannot_be_used_keeps_the_last_good_and_is_told_until_a_good_one_comes() {
    on_both(async |scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        scene.spoil();
        let told = trouble(&identity, "identity.update_rejected").await;
        assert!(told.text.contains("a.test"), "{told:?}");
        assert_eq!(identity.current().unwrap().sequence, first.sequence);
        assert_eq!(identity.health().reason(), "identity.update_rejected");
        scene.mend();
        let mut updates = identity.source_updates();
        let cleared = updates.wait_for(|status| status.trouble.is_none());
        drop(timeout(PATIENCE, cleared).await.unwrap().unwrap());
        assert_eq!(identity.health(), Health::Good);
    })
    .await;
}

#[tokio::test]
async fn an_svid_grows_late_then_expires_and_the_next_one_ends_that() {
    on_both(async |scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        let end = first.svid.not_after.unix_seconds();
        let at = portreeve_core::Timestamp::from_unix_seconds;
        scene.clock.set(at(end - 1_210));
        assert_eq!(identity.health(), Health::Good);
        scene.clock.set(at(end - 1_200));
        assert_eq!(identity.health().reason(), "identity.stale");
        assert!(identity.current().is_ok());
        scene.clock.set(at(end));
        assert_eq!(identity.current().unwrap_err(), Unavailable::Expired(first.svid.not_after));
        scene.rotate();
        snapshot(&identity, "rotated", |s| s.svid.not_after > first.svid.not_after).await;
        assert_eq!(identity.health(), Health::Good);
    })
    .await;
}

#[tokio::test]
async fn a_clock_before_our_svid_is_suspect_until_it_is_set() {
    on_both(async |scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        let begin = first.svid.not_before.unix_seconds();
        let now = scene.clock.now();
        // A manual clock begins where its test does; going back an hour is before that too.
        let early = portreeve_core::Timestamp::from_unix_seconds(begin - 3_600);
        scene.clock.set(early);
        match identity.current().unwrap_err() {
            Unavailable::Clock(suspect) => assert_eq!(suspect.now, early),
            other => panic!("{other:?}"),
        }
        assert_eq!(identity.health().reason(), "clock.suspect");
        let late = Clock::system();
        let later = portreeve_core::Timestamp::from_unix_seconds(late.now().unix_seconds() + 60);
        assert_eq!(late.check_with(later).unwrap_err().evidence, Evidence::Svid);
        scene.clock.set(now);
        assert_eq!(identity.health(), Health::Good);
    })
    .await;
}

#[tokio::test]
async fn another_trust_domain_than_at_first_is_refused() {
    on_both(async |mut scene| {
        let identity = scene.follow();
        let first = snapshot(&identity, "ready", |_| true).await;
        scene.api.take().unwrap().shutdown().await;
        let mut other = Settings::new(domain("b.test"), scene.path("api.sock"));
        other.entries = vec![Entry::any(id("spiffe://b.test/web"))];
        scene.api = Some(WorkloadApi::start(other).unwrap());
        scene.write();
        let told = trouble(&identity, "identity.update_rejected").await;
        assert!(told.text.contains("another trust domain needs a restart"), "{told:?}");
        assert_eq!(identity.current().unwrap().sequence, first.sequence);
    })
    .await;
}

#[tokio::test]
async fn a_foreign_bundle_that_cannot_be_read_never_blocks_our_own_rotation() {
    on_both(async |scene| {
        let identity = scene.follow();
        let good = Authority::new(domain("c.test"), Clock::system()).unwrap();
        scene.api().federate(&domain("b.test"), b"garbage".to_vec());
        scene.api().federate(&domain("c.test"), good.root().to_vec());
        scene.put("b.test.pem", "garbage");
        scene.put("c.test.pem", &pem("CERTIFICATE", good.root()));
        scene.rotate();
        let seen = snapshot(&identity, "federated", |s| {
            s.bundles.get(&domain("c.test")).is_some_and(|roots| roots.len() == 1)
        });
        assert!(seen.await.bundles[&domain("b.test")].is_empty());
        assert_eq!(identity.health().reason(), "identity.bundle_rejected");
        assert_eq!(identity.source().unusable[0].name, "spiffe://b.test");
        let before = identity.current().unwrap();
        scene.rotate();
        let rotated = |s: &Snapshot| s.svid.certified_key.cert != before.svid.certified_key.cert;
        snapshot(&identity, "rotated", rotated).await;
    })
    .await;
}

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

#[tokio::test]
async fn a_denial_within_the_grace_is_forgotten_by_the_next_update_and_one_beyond_it_withdraws() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let source = Source::WorkloadApi { socket: api.socket().to_owned() };
    let with = |withdrawal_grace| {
        let source = source.clone();
        let settings = identity::Settings { withdrawal_grace, ..identity::Settings::new(source) };
        identity::spawn(&settings, Clock::system())
    };
    let (long, short) = (with(Duration::from_secs(60)), with(Duration::from_millis(300)));
    for identity in [&long, &short] {
        snapshot(identity, "ready", |_| true).await;
    }
    api.set_fault(Fault::Denied);
    trouble(&long, "identity.withdrawing").await;
    assert_eq!(long.health().reason(), "identity.withdrawing");
    until(&short, "withdrawn", |state| matches!(state, State::Withdrawn { .. })).await;
    assert!(long.current().is_ok());
    api.set_fault(Fault::None);
    snapshot(&long, "back", |s| s.sequence == 2).await;
    snapshot(&short, "back", |s| s.sequence == 2).await;
    assert_eq!(long.health(), Health::Good);
}

#[tokio::test]
async fn an_update_over_our_limit_is_told_and_the_last_good_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    api.federate(&domain("b.test"), vec![0; 65 * 1024 * 1024]);
    let told = trouble(&identity, "identity.update_rejected").await;
    assert!(told.text.contains("is larger than we take"), "{told:?}");
    assert_eq!(identity.current().unwrap().sequence, first.sequence);
    api.defederate(&domain("b.test"));
    api.rotate_svids().unwrap();
    snapshot(&identity, "rotated", |s| s.sequence == 2).await;
}

#[tokio::test]
async fn who_serves_the_socket_is_known_and_a_lost_agent_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    let served_by = identity.source().served_by.unwrap();
    assert_eq!(served_by.uid, rustix::process::geteuid().as_raw());
    assert_eq!(served_by.pid, Some(std::process::id().try_into().unwrap()));
    api.shutdown().await;
    let told = trouble(&identity, "identity.source_lost").await;
    assert!(told.text.contains("api.sock"), "{told:?}");
    // It serves as before: only an SVID that is late makes it degraded.
    assert_eq!(identity.health(), Health::Good);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let identity = follow(&dir.path().join("agent/api.sock"), None);
    let told = trouble(&identity, "identity.source_lost").await;
    assert!(told.text.contains("there is no directory `"), "{told:?}");
}
