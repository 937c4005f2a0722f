//! Which lists of revoked certificates count, and for whom.

use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use rcgen::{CertificateParams, KeyUsagePurpose};
use rustls::pki_types::CertificateRevocationListDer;

use super::pki::{HOUR, NOW};
use super::*;

type Crl = CertificateRevocationListDer<'static>;

/// The trust of a snapshot in which a.test has this root.
fn trust(root: &Authority, crls: &[Crl]) -> Trust {
    let name = TrustDomain::parse("a.test").unwrap();
    Trust::new(&[(name, vec![root.der()])].into(), crls)
}

fn verify(trust: &Trust, svid: &Issued) -> Result<(), &'static str> {
    let (leaf, intermediates) = svid.chain.split_first().unwrap();
    let now = Timestamp::from_unix_seconds(NOW);
    let verified = trust.verify(leaf, intermediates, Role::Client, now);
    verified.map(|_| ()).map_err(|error| error.reason())
}

#[test]
fn a_revoked_svid_is_refused_and_its_sibling_is_not() {
    let root = Authority::root("a");
    let (good, bad) = (root.issue(WEB), root.issue(WEB));
    let crl = root.crl(&[&bad.chain[0]], HOUR);
    let mut snapshot = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    snapshot.crls = vec![crl];
    let tls = Service::new(&snapshot, &clock(), &Settings::default());
    assert!(present(&tls, &good).0.is_ok());
    let (peer, alert) = present(&tls, &bad);
    let refused = peer.unwrap_err();
    assert_eq!((refused.reason, refused.alert), ("svid.revoked", alert));
    assert_eq!(alert, Some("certificate_revoked"));
    assert_eq!(refused.claimed.unwrap().id.as_deref(), Some(WEB));
    let client = ClientTls::new(&clock(), &Settings::default()).unwrap();
    let own = Credentials::new(&snapshot);
    let orders = Service::new(&snapshot_of(&root, &bad), &clock(), &Settings::default());
    let refused = run(async {
        let (near, far) = duplex(1 << 16);
        let expected = ExpectedPeer::TrustDomain(TrustDomain::parse("a.test").unwrap());
        let name = ServerName::try_from("localhost").unwrap();
        let (_, here) =
            tokio::join!(orders.accept(near), connect(far, &client, &own, expected, name));
        here.unwrap_err()
    });
    assert_eq!(refused.reason, "svid.revoked");
}

fn snapshot_of(root: &Authority, svid: &Issued) -> Snapshot {
    snapshot(svid, &[("a.test", &[root])])
}

#[test]
fn a_revoked_intermediate_takes_all_below_it_along() {
    let root = Authority::root("a");
    let (good, bad) = (root.intermediate("good"), root.intermediate("bad"));
    let trust = trust(&root, &[root.crl(&[&bad.der()], HOUR)]);
    assert_eq!(verify(&trust, &good.issue(WEB)), Ok(()));
    assert_eq!(verify(&trust, &bad.issue(WEB)), Err("trust.revoked"));
    assert_eq!(verify(&trust, &bad.intermediate("below").issue(WEB)), Err("trust.revoked"));
}

#[test]
fn an_intermediate_s_own_list_counts_once_it_is_seen() {
    let root = Authority::root("a");
    let ca = root.intermediate("i");
    let (good, bad) = (ca.issue(WEB), ca.issue(WEB));
    let trust = trust(&root, &[ca.crl(&[&bad.chain[0]], HOUR)]);
    assert_eq!(trust.unusable_crls(), []);
    for _ in 0..2 {
        assert_eq!(verify(&trust, &bad), Err("svid.revoked"));
        assert_eq!(verify(&trust, &good), Ok(()));
    }
}

#[test]
fn a_list_by_somebody_else_revokes_nothing_and_hides_no_list_that_counts() {
    let (root, namesake) = (Authority::root("a"), Authority::root("a"));
    let svid = root.issue(WEB);
    let foreign = namesake.crl(&[&svid.chain[0]], HOUR);
    let forged = trust(&root, std::slice::from_ref(&foreign));
    assert_eq!(verify(&forged, &svid), Ok(()));
    let [unusable] = forged.unusable_crls() else { panic!("{:?}", forged.unusable_crls()) };
    assert_eq!(unusable.error, CrlError::Signature);
    assert_eq!(unusable.issuer.as_deref(), Some("CN=a"));
    let both = trust(&root, &[foreign, root.crl(&[&svid.chain[0]], HOUR)]);
    assert_eq!(verify(&both, &svid), Err("svid.revoked"));
    let several = trust(&root, &[root.crl(&[], HOUR), root.crl(&[&svid.chain[0]], HOUR)]);
    assert_eq!(verify(&several, &svid), Err("svid.revoked"));
    let stranger = Authority::root("x").crl(&[&svid.chain[0]], HOUR);
    assert_eq!(verify(&trust(&root, &[stranger]), &svid), Ok(()));
}

#[test]
fn an_overdue_list_still_revokes_and_is_told_of() {
    let root = Authority::root("a");
    let (good, bad) = (root.issue(WEB), root.issue(WEB));
    let trust = trust(&root, &[root.crl(&[&bad.chain[0]], -60)]);
    assert_eq!(verify(&trust, &bad), Err("svid.revoked"));
    assert_eq!(verify(&trust, &good), Ok(()));
    let overdue = trust.overdue_crls(Timestamp::from_unix_seconds(NOW));
    assert_eq!(overdue.len(), 1);
    assert_eq!(overdue[0].issuer, "CN=a");
    assert_eq!(overdue[0].next_update, Timestamp::from_unix_seconds(NOW - 60));
    assert!(trust.overdue_crls(Timestamp::from_unix_seconds(NOW - 61)).is_empty());
}

#[test]
fn a_list_that_cannot_be_read_is_told_of_and_the_others_count() {
    let root = Authority::root("a");
    let bad = root.issue(WEB);
    let good = root.crl(&[&bad.chain[0]], HOUR);
    let mut tampered = good.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let crls = [Crl::from(b"rubbish".to_vec()), tampered.into(), good];
    let trust = trust(&root, &crls);
    let errors: Vec<_> = trust.unusable_crls().iter().map(|crl| crl.error.clone()).collect();
    assert!(matches!(errors[..], [CrlError::Malformed(_), CrlError::Signature]), "{errors:?}");
    assert_eq!(verify(&trust, &bad), Err("svid.revoked"));
}

#[test]
fn a_ca_that_may_not_sign_lists_revokes_nothing() {
    let certs_only = |p: &mut CertificateParams| p.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let with_crl = |may: bool| {
        // rcgen signs no list for a CA without cRLSign, so one of the same name and key does.
        let signer = Authority::root("a");
        let root = if may { signer.renewed(|_| {}) } else { signer.renewed(certs_only) };
        let svid = signer.issue(WEB);
        (trust(&root, &[signer.crl(&[&svid.chain[0]], HOUR)]), svid)
    };
    let (trust, svid) = with_crl(true);
    assert_eq!(verify(&trust, &svid), Err("svid.revoked"));
    let (trust, svid) = with_crl(false);
    assert_eq!(verify(&trust, &svid), Ok(()));
    assert_eq!(trust.unusable_crls()[0].error, CrlError::Issuer);
}
