//! What makes a root or an intermediate fit to issue SVIDs, beyond what path validation looks at.

use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use rcgen::{
    CertificateParams, CidrSubnet, CustomExtension, GeneralSubtree, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};

use super::pki::{HOUR, NOW, at};
use super::*;

/// The trust of a snapshot in which a.test has these roots.
fn trust(roots: &[&Authority]) -> Trust {
    let name = TrustDomain::parse("a.test").unwrap();
    Trust::new(&[(name, roots.iter().map(|root| root.der()).collect())].into(), &[])
}

fn verify(trust: &Trust, svid: &Issued) -> Result<(), &'static str> {
    let (leaf, intermediates) = svid.chain.split_first().unwrap();
    let now = Timestamp::from_unix_seconds(NOW);
    let verified = trust.verify(leaf, intermediates, Role::Client, now);
    verified.map(|_| ()).map_err(|error| error.reason())
}

/// What comes of a leaf under a root that is changed in one point, and under such an intermediate.
#[track_caller]
fn check(change: fn(&mut CertificateParams), by_root: Option<&str>, by_intermediate: Option<&str>) {
    let changed = Authority::root_with("a", change);
    let seen = verify(&trust(&[&changed]), &changed.issue(WEB));
    assert_eq!(seen.err(), by_root, "under the root");
    let root = Authority::root("a");
    let seen = verify(&trust(&[&root]), &root.intermediate_with("i", change).issue(WEB));
    assert_eq!(seen.err(), by_intermediate, "under the intermediate");
}

fn both(change: fn(&mut CertificateParams), reason: &str) {
    check(change, Some(reason), Some(reason));
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn with(p: &mut CertificateParams, oid: &[u64], critical: bool, content: &[u8]) {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    p.custom_extensions.push(extension);
}

#[test]
fn an_issuer_s_spiffe_id_is_that_of_a_trust_domain_and_not_always_the_leaf_s() {
    check(|p| p.subject_alt_names = vec![uri("spiffe://a.test")], None, None);
    check(|p| p.subject_alt_names = vec![uri("spiffe://other.test")], None, None);
    check(|p| p.subject_alt_names = vec![uri("https://ca.test/")], None, None);
    both(|p| p.subject_alt_names = vec![uri("spiffe://a.test/ca")], "trust.issuer_id");
    both(|p| p.subject_alt_names = vec![uri("spiffe://A.test")], "trust.issuer_id");
    let two = |p: &mut CertificateParams| {
        p.subject_alt_names = vec![uri("spiffe://a.test"), uri("spiffe://b.test")];
    };
    both(two, "trust.issuer_id");
}

#[test]
fn key_usage_is_critical_where_the_issuer_is_an_svid_itself() {
    const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
    const CERT_SIGN: &[u8] = &[3, 2, 2, 4];
    let plain = |p: &mut CertificateParams| {
        p.key_usages.clear();
        with(p, KEY_USAGE, false, CERT_SIGN);
    };
    check(plain, None, None);
    let svid = |p: &mut CertificateParams| {
        p.subject_alt_names = vec![uri("spiffe://a.test")];
        p.key_usages.clear();
        with(p, KEY_USAGE, false, CERT_SIGN);
    };
    both(svid, "trust.issuer_key_usage");
    // A root that is older than SPIFFE may lack it, an intermediate may not.
    check(|p| p.key_usages.clear(), None, Some("trust.issuer_key_usage"));
    both(|p| p.key_usages = vec![KeyUsagePurpose::CrlSign], "trust.issuer_key_usage");
}

#[test]
fn a_critical_extension_that_nobody_knows_spoils_a_root_as_well() {
    check(|p| with(p, &[1, 3, 6, 1, 9], false, &[5, 0]), None, None);
    both(|p| with(p, &[1, 3, 6, 1, 9], true, &[5, 0]), "trust.critical_extension");
    both(|p| with(p, &[2, 5, 29, 99], true, &[5, 0]), "trust.critical_extension");
}

#[test]
fn uri_name_constraints_are_refused_by_name_wherever_they_stand() {
    const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];
    let permitted: fn(&mut CertificateParams) =
        |p| with(p, NAME_CONSTRAINTS, true, b"\x30\x0c\xa0\x0a\x30\x08\x86\x06a.test");
    let excluded: fn(&mut CertificateParams) =
        |p| with(p, NAME_CONSTRAINTS, false, b"\x30\x0c\xa1\x0a\x30\x08\x86\x06b.test");
    both(permitted, "trust.uri_name_constraints");
    both(excluded, "trust.uri_name_constraints");
}

#[test]
fn a_root_s_name_constraints_bind_as_an_intermediate_s_do() {
    let constrained = |p: &mut CertificateParams| {
        p.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("a.test".to_owned())],
            excluded_subtrees: vec![GeneralSubtree::IpAddress(CidrSubnet::V4(
                [10, 0, 0, 0],
                [255, 0, 0, 0],
            ))],
        });
    };
    check(constrained, None, None);
    let root = Authority::root_with("a", constrained);
    let named = |name: SanType| {
        verify(&trust(&[&root]), &root.issue_with(WEB, |p| p.subject_alt_names.push(name)))
    };
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    assert_eq!(named(dns("web.a.test")), Ok(()));
    assert_eq!(named(dns("web.b.test")), Err("trust.name_constraints"));
    assert_eq!(named(SanType::IpAddress([192, 0, 2, 1].into())), Ok(()));
    assert_eq!(named(SanType::IpAddress([10, 0, 2, 1].into())), Err("trust.name_constraints"));
}

#[test]
fn an_issuer_of_the_same_name_is_told_from_a_forged_signature_by_its_key_id() {
    let (root, namesake) = (Authority::root("a"), Authority::root("a"));
    let by_id = |p: &mut CertificateParams| p.use_authority_key_identifier_extension = true;
    let svid = namesake.issue_with(WEB, by_id);
    assert_eq!(verify(&trust(&[&root]), &svid), Err("trust.unknown_issuer"));
    assert_eq!(verify(&trust(&[&root, &namesake]), &svid), Ok(()));
    let forged = svid.with_chain(|chain| {
        let mut der = chain[0].to_vec();
        *der.last_mut().unwrap() ^= 1;
        chain[0] = der.into();
    });
    assert_eq!(verify(&trust(&[&root, &namesake]), &forged), Err("trust.bad_signature"));
}

#[test]
fn a_root_that_can_sign_nothing_is_named_by_its_fault_and_harms_no_other() {
    let (good, bad) = (Authority::root("a"), Authority::root_with("b", |p| p.key_usages.clear()));
    let svid_root = Authority::root_with("c", |p| {
        p.subject_alt_names = vec![uri("spiffe://a.test/ca")];
    });
    let trust = trust(&[&svid_root, &good, &bad]);
    let unusable: Vec<_> = trust.unusable().iter().map(|root| root.error.reason()).collect();
    assert_eq!(unusable, ["trust.issuer_id"]);
    assert_eq!(verify(&trust, &good.issue(WEB)), Ok(()));
    assert_eq!(verify(&trust, &bad.issue(WEB)), Ok(()));
    assert_eq!(verify(&trust, &svid_root.issue(WEB)), Err("trust.issuer_id"));
}

#[test]
fn one_key_in_two_trust_domains_is_told_of_by_name() {
    let (a, b) = (Authority::root("a"), Authority::root("b"));
    let bundle = |name: &str, roots: &[&Authority]| {
        (TrustDomain::parse(name).unwrap(), roots.iter().map(|root| root.der()).collect())
    };
    let apart = [bundle("a.test", &[&a]), bundle("b.test", &[&b])];
    assert_eq!(Trust::new(&apart.into(), &[]).shared_roots(), []);
    // Another certificate of the same key is the same power.
    let again = a.renewed(|p| p.not_after = at(9 * HOUR));
    let shared =
        [bundle("a.test", &[&a, &again]), bundle("b.test", &[&b]), bundle("c.test", &[&again])];
    let trust = Trust::new(&shared.into(), &[]);
    let [shared] = trust.shared_roots() else { panic!("{:?}", trust.shared_roots()) };
    let names: Vec<_> = shared.trust_domains.iter().map(TrustDomain::as_str).collect();
    assert_eq!(names, ["a.test", "c.test"]);
    assert_eq!(shared.sha256, portreeve_core::spiffe::Claimed::read(&a.der()).sha256);
}

/// What a peer that proves nothing may cost.
const LIMIT: Duration = Duration::from_millis(50);

/// The CPU time of this thread, since others share the machine.
fn cpu<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let clock = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let begun = clock();
    let done = work();
    let spent = clock() - begun;
    let spent = Duration::new(spent.tv_sec.try_into().unwrap(), spent.tv_nsec.try_into().unwrap());
    (done, spent)
}

#[test]
fn what_is_too_long_too_large_or_too_tangled_is_refused_within_50_ms() {
    let root = Authority::root("a");
    let trust = trust(&[&root]);
    let bounded = |svid: &Issued, reason: &str| {
        let (seen, spent) = cpu(|| verify(&trust, svid));
        assert_eq!(seen, Err(reason));
        assert!(spent < LIMIT, "{reason} took {spent:?}");
    };
    let filler = Authority::root("x").der();
    let long = root.issue(WEB).with_chain(|chain| chain.extend(vec![filler; 99]));
    bounded(&long, "trust.chain_length");
    let bulky = |bytes: usize| vec![0x30; bytes].into();
    bounded(&root.issue(WEB).with_chain(|chain| chain.push(bulky(1 << 20))), "trust.chain_bytes");
    bounded(&root.issue(WEB).with_chain(|chain| chain[0] = bulky(1 << 20)), "trust.chain_bytes");
    // Each of six could have issued each of the others, and the root none of them.
    let other = Authority::root("a");
    let tangle: Vec<_> = (0..6).map(|_| Authority::root("a").intermediate("a").der()).collect();
    bounded(&other.issue(WEB).with_chain(|chain| chain.extend(tangle)), "trust.path_budget");
}

#[test]
fn the_dearest_root_bounds_a_tangle_too() {
    let root = || {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        Authority::root_of("a", key)
    };
    let tangle: Vec<_> = (0..4).map(|_| root().intermediate("a").der()).collect();
    let svid = root().issue(WEB).with_chain(|chain| chain.extend(tangle));
    let trust = trust(&[&root()]);
    let (seen, spent) = cpu(|| verify(&trust, &svid));
    assert_eq!(seen, Err("trust.bad_signature"));
    assert!(spent < LIMIT, "{spent:?}");
}
