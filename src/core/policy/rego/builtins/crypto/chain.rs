//! `crypto.x509.parse_and_verify_certificates`, with and without options: whether the last
//! certificate chains to the first, at the request's time.

use std::collections::BTreeSet;
use std::time::Duration;

use regorus::Value;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext,
};
use x509_parser::certificate::X509Certificate;

use super::super::{Builtin, BuiltinError, clock};
use super::arguments::{invalid, text, text_of};
use super::certificate::{SplitError, der_of, split, to_go};
use super::usage;

/// From the root to the leaf. With at most one certificate to a subject a path has no branches, so
/// this many signatures are verified at most, of 0.3 ms each.
const MAX_CHAIN_CERTIFICATES: usize = 8;

pub(in super::super) const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "crypto.x509.parse_and_verify_certificates",
        arity: 1,
        run: |arguments| verify(arguments, &Options::default(), true),
    },
    Builtin {
        name: "crypto.x509.parse_and_verify_certificates_with_options",
        arity: 2,
        run: |arguments| verify(arguments, &options(arguments.get(1))?, false),
    },
];

struct Options {
    dns_name: Option<String>,
    time_ns: i64,
    /// Identifiers of extended key usages, one of which is wanted.
    usages: Vec<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self { dns_name: None, time_ns: clock::now_ns(), usages: vec![usage::SERVER] }
    }
}

fn options(value: Option<&Value>) -> Result<Options, BuiltinError> {
    let members = value.and_then(|value| value.as_object().ok());
    let members = members.ok_or_else(|| invalid("operand 2 must be an object"))?;
    let mut options = Options::default();
    for (name, value) in members.iter() {
        match text_of(name) {
            Some("DNSName") => {
                let name = text_of(value).ok_or_else(|| invalid("'DNSName' should be a string"))?;
                options.dns_name = Some(name.trim_matches('"').to_owned());
            }
            Some("CurrentTime") => {
                let time = value.as_number().ok().and_then(|number| number.as_i64());
                options.time_ns =
                    time.ok_or_else(|| invalid("'CurrentTime' should be a valid int64 number"))?;
            }
            // Ours are bounded without it.
            Some("MaxConstraintComparisons") if value.as_number().is_ok() => {}
            Some("MaxConstraintComparisons") => {
                return Err(invalid("'MaxConstraintComparisons' should be a number"));
            }
            Some("KeyUsages") => options.usages = usages(value)?,
            Some(_) => return Err(invalid("invalid key option")),
            None => {}
        }
    }
    Ok(options)
}

fn usages(value: &Value) -> Result<Vec<&'static str>, BuiltinError> {
    let names: Vec<&Value> = match value {
        Value::Array(names) => names.iter().collect(),
        Value::Set(names) => names.iter().collect(),
        _ => return Err(invalid("'KeyUsages' should be an Array or Set")),
    };
    let mut usages = Vec::new();
    for name in names.into_iter().filter_map(text_of) {
        let found = usage::named(name.trim_matches('"'));
        usages.push(found.ok_or_else(|| invalid("invalid entries for 'KeyUsages' found"))?);
    }
    Ok(if usages.is_empty() { vec![usage::SERVER] } else { usages })
}

/// `[true, chain]` from the leaf to the root, or `[false, []]`.
fn verify(
    arguments: &[Value],
    options: &Options,
    has_uri_texts: bool,
) -> Result<Value, BuiltinError> {
    let text = text(arguments, 0)?;
    let refused = || Value::from(vec![Value::from(false), Value::new_array()]);
    let Ok(der) = der_of(text) else { return Ok(refused()) };
    let certificates = match split(&der) {
        Ok(certificates) => certificates,
        Err(SplitError::Malformed) => return Ok(refused()),
        Err(error) => return Err(error.into()),
    };
    if certificates.len() > MAX_CHAIN_CERTIFICATES {
        let text = format!("at most {MAX_CHAIN_CERTIFICATES} certificates are verified as a chain");
        return Err(invalid(text));
    }
    let [root, intermediates @ .., leaf] = certificates.as_slice() else { return Ok(refused()) };
    check_branches(intermediates)?;
    let Some(between) = path(root, intermediates, leaf, options) else { return Ok(refused()) };
    let of_path = |der: &CertificateDer<'_>| {
        let found = intermediates.iter().find(|certificate| certificate.as_raw() == der.as_ref());
        found.unwrap_or(leaf)
    };
    let chain = std::iter::once(leaf)
        .chain(between.iter().map(of_path))
        .chain(std::iter::once(root))
        .map(|certificate| to_go(certificate, has_uri_texts))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Value::from(vec![Value::from(true), Value::from(chain)]))
}

/// Two intermediates of one subject would make a tree of paths, every branch of which costs.
fn check_branches(intermediates: &[X509Certificate<'_>]) -> Result<(), BuiltinError> {
    let raw: BTreeSet<_> = intermediates.iter().map(|c| c.as_raw()).collect();
    let subjects: BTreeSet<_> = intermediates.iter().map(|c| c.subject().as_raw()).collect();
    if subjects.len() == raw.len() {
        Ok(())
    } else {
        Err(invalid("two intermediate certificates have one subject"))
    }
}

/// The intermediates that were needed, from the leaf on, where the path is valid.
fn path(
    root: &X509Certificate<'_>,
    intermediates: &[X509Certificate<'_>],
    leaf: &X509Certificate<'_>,
    options: &Options,
) -> Option<Vec<CertificateDer<'static>>> {
    let seconds = u64::try_from(options.time_ns.div_euclid(1_000_000_000)).ok()?;
    let root_der = CertificateDer::from(root.as_raw());
    let anchor = webpki::anchor_from_trusted_cert(&root_der).ok()?;
    let unique: BTreeSet<_> = intermediates.iter().map(|c| c.as_raw()).collect();
    let unique: Vec<_> = unique.into_iter().map(CertificateDer::from).collect();
    let leaf_der = CertificateDer::from(leaf.as_raw());
    let leaf = EndEntityCert::try_from(&leaf_der).ok()?;
    let anchors = [anchor];
    let path = leaf.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors,
        &unique,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        AnyOf(&options.usages),
        None,
        None,
    );
    let path = path.ok()?;
    if let Some(name) = options.dns_name.as_deref().filter(|name| !name.is_empty()) {
        let name = ServerName::try_from(name).ok()?;
        leaf.verify_is_valid_for_subject_name(&name).ok()?;
    }
    let used: Vec<_> = path
        .intermediate_certificates()
        .map(|certificate| certificate.der().into_owned())
        .collect();
    is_root_right(root, used.len(), seconds, &options.usages).then_some(used)
}

/// What Go asks of a root, which is a mere key to the verifier of paths.
fn is_root_right(
    root: &X509Certificate<'_>,
    intermediates: usize,
    seconds: u64,
    usages: &[&str],
) -> bool {
    let validity = root.validity();
    let Ok(now) = i64::try_from(seconds) else { return false };
    let is_live = (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now);
    let is_authority = match root.basic_constraints() {
        Ok(Some(basic)) => {
            let longest = basic.value.path_len_constraint;
            let is_short = longest
                .is_none_or(|longest| usize::try_from(longest).is_ok_and(|n| intermediates <= n));
            basic.value.ca && is_short
        }
        Ok(None) => root.version().0 < 2,
        Err(_) => false,
    };
    let may_sign = match root.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    is_live && is_authority && may_sign && super::extensions::allows(root.extensions(), usages)
}

/// One of the usages, any, or none named at all.
struct AnyOf<'a>(&'a [&'static str]);

impl ExtendedKeyUsageValidator for AnyOf<'_> {
    fn validate(&self, iter: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut has_none = true;
        for id in iter {
            has_none = false;
            let arcs: Vec<String> = id?.to_decoded_oid().iter().map(usize::to_string).collect();
            if usage::fits(&arcs.join("."), self.0) {
                return Ok(());
            }
        }
        if has_none {
            return Ok(());
        }
        let context =
            RequiredEkuNotFoundContext { required: KeyUsage::server_auth(), present: vec![] };
        Err(webpki::Error::RequiredEkuNotFoundContext(context))
    }
}
