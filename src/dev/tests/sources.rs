//! What every source must do, held against the Workload API and against files alike.

use super::*;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;

use crate::clock::Evidence;
use crate::dev::{Authority, Fault};
use crate::identity::{FileSettings, Health, Trouble, Unavailable};

const INTERVAL: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Api,
    Files,
}

/// An embedded domain, and a source that says what it says.
pub(super) struct Scene {
    pub(super) kind: Kind,
    dir: tempfile::TempDir,
    api: Option<WorkloadApi>,
    clock: Clock,
}

/// The same on both sources.
pub(super) async fn on_both(test: impl AsyncFn(Scene)) {
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

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

impl Scene {
    pub(super) fn api(&self) -> &WorkloadApi {
        self.api.as_ref().unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes an SVID and the bundle of the domain, as a helper of SPIRE would.
    pub(super) fn write(&self) {
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
                jwt_bundles: BTreeMap::new(),
                crls: Vec::new(),
                interval: INTERVAL,
            }),
        })
    }

    pub(super) fn follow(&self) -> Identity {
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

pub(super) async fn trouble(identity: &Identity, reason: &str) -> Trouble {
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
