//! The extensions of a certificate or a request: as a list, and read into Go's fields.

use regorus::Value;
use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::{DistributionPointName, ParsedExtension, X509Extension};
use x509_parser::prelude::GeneralName;

use super::super::BuiltinError;
use super::alternative::Names;
use super::arguments::{invalid, object, slice};
use super::der::{self, Reader};
use super::encoding::base64;
use super::{constraints, usage};

type Members = Vec<(&'static str, Value)>;

/// An object identifier as Go writes one: a list of numbers.
pub(super) fn oid(oid: &Oid<'_>) -> Value {
    let arcs = oid.to_id_string();
    let arcs = arcs.split('.').filter_map(|arc| Value::from_numeric_string(arc).ok());
    Value::from(arcs.collect::<Vec<_>>())
}

/// Go's `Extensions`.
pub(super) fn list(extensions: &[X509Extension<'_>]) -> Value {
    let one = |e: &X509Extension<'_>| {
        object([
            ("Id", oid(&e.oid)),
            ("Critical", Value::from(e.critical)),
            ("Value", Value::from(base64(e.value))),
        ])
    };
    slice(extensions.iter().map(one).collect())
}

/// The names of the extension that has them.
pub(super) fn names(extensions: &[X509Extension<'_>]) -> Result<Names, BuiltinError> {
    for extension in extensions {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            return Names::of(&names.general_names);
        }
    }
    Ok(Names::default())
}

/// What Go reads from a certificate's extensions, but for the names of its subject.
pub(super) fn members(extensions: &[X509Extension<'_>]) -> Result<Members, BuiltinError> {
    let mut read = Read::default();
    for extension in extensions {
        read.extension(extension)?;
    }
    Ok(read.into_members())
}

#[derive(Default)]
struct Read<'a> {
    key_usage: u16,
    extended: Option<(Vec<Value>, Vec<Value>)>,
    basic: Option<(bool, Option<u32>)>,
    subject_key: Option<&'a [u8]>,
    authority_key: Option<&'a [u8]>,
    constraints: Option<&'a x509_parser::extensions::NameConstraints<'a>>,
    are_constraints_critical: bool,
    crls: Vec<Value>,
    ocsp: Vec<Value>,
    issuers: Vec<Value>,
    policies: Vec<&'a Oid<'a>>,
    mappings: Vec<Value>,
    explicit: Option<u32>,
    inhibit_mapping: Option<u32>,
    inhibit_any: Option<u32>,
    unhandled: Vec<Value>,
}

impl<'a> Read<'a> {
    fn extension(&mut self, extension: &'a X509Extension<'a>) -> Result<(), BuiltinError> {
        let malformed = || invalid("x509: malformed extension");
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => self.key_usage = usage.flags,
            ParsedExtension::ExtendedKeyUsage(_) => {
                self.extended = Some(usages(extension.value).ok_or_else(malformed)?);
            }
            ParsedExtension::BasicConstraints(basic) => {
                self.basic = Some((basic.ca, basic.path_len_constraint));
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key = Some(id.0),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key = id.key_identifier.as_ref().map(|id| id.0);
            }
            ParsedExtension::NameConstraints(constraints) => {
                self.constraints = Some(constraints);
                self.are_constraints_critical = extension.critical;
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in points.points.iter() {
                    if let Some(DistributionPointName::FullName(names)) = &point.distribution_point
                    {
                        self.crls.extend(uris(names.iter()));
                    }
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                for description in &access.accessdescs {
                    let list = match description.access_method.to_id_string().as_str() {
                        "1.3.6.1.5.5.7.48.1" => &mut self.ocsp,
                        "1.3.6.1.5.5.7.48.2" => &mut self.issuers,
                        _ => continue,
                    };
                    list.extend(uris(std::iter::once(&description.access_location)));
                }
            }
            ParsedExtension::CertificatePolicies(policies) => {
                self.policies = policies.iter().map(|policy| &policy.policy_id).collect();
            }
            ParsedExtension::PolicyMappings(mappings) => {
                self.mappings = mappings.mappings.iter().map(mapping).collect();
            }
            ParsedExtension::PolicyConstraints(constraints) => {
                self.explicit = constraints.require_explicit_policy;
                self.inhibit_mapping = constraints.inhibit_policy_mapping;
            }
            ParsedExtension::InhibitAnyPolicy(inhibit) => {
                self.inhibit_any = Some(inhibit.skip_certs);
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                let has_none = Names::of(&names.general_names)?.is_empty();
                if extension.critical && has_none {
                    self.unhandled.push(oid(&extension.oid));
                }
            }
            ParsedExtension::ParseError { .. } => return Err(malformed()),
            _ if extension.critical => self.unhandled.push(oid(&extension.oid)),
            _ => {}
        }
        Ok(())
    }

    fn into_members(self) -> Members {
        let bytes =
            |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |bytes| Value::from(base64(bytes)));
        let (known, unknown) = self.extended.unwrap_or_default();
        let path_length = self.basic.map_or(Value::from(0_u32), |(_, length)| match length {
            Some(length) => Value::from(length),
            None => Value::from(-1_i32),
        });
        let texts = self.policies.iter().map(|id| Value::from(id.to_id_string())).collect();
        let mut members = vec![
            ("KeyUsage", Value::from(u32::from(self.key_usage))),
            ("ExtKeyUsage", slice(known)),
            ("UnknownExtKeyUsage", slice(unknown)),
            ("BasicConstraintsValid", Value::from(self.basic.is_some())),
            ("IsCA", Value::from(self.basic.is_some_and(|(is_ca, _)| is_ca))),
            ("MaxPathLen", path_length),
            ("MaxPathLenZero", Value::from(matches!(self.basic, Some((_, Some(0)))))),
            ("SubjectKeyId", bytes(self.subject_key)),
            ("AuthorityKeyId", bytes(self.authority_key)),
            ("PermittedDNSDomainsCritical", Value::from(self.are_constraints_critical)),
            ("CRLDistributionPoints", slice(self.crls)),
            ("OCSPServer", slice(self.ocsp)),
            ("IssuingCertificateURL", slice(self.issuers)),
            ("PolicyIdentifiers", slice(self.policies.iter().map(|id| oid(id)).collect())),
            ("Policies", slice(texts)),
            ("PolicyMappings", slice(self.mappings)),
            ("UnhandledCriticalExtensions", slice(self.unhandled)),
        ];
        for (name, zero, value) in [
            ("RequireExplicitPolicy", "RequireExplicitPolicyZero", self.explicit),
            ("InhibitPolicyMapping", "InhibitPolicyMappingZero", self.inhibit_mapping),
            ("InhibitAnyPolicy", "InhibitAnyPolicyZero", self.inhibit_any),
        ] {
            members.push((name, Value::from(value.unwrap_or(0))));
            members.push((zero, Value::from(value == Some(0))));
        }
        members.extend(constraints::members(self.constraints));
        members
    }
}

fn uris<'a>(names: impl Iterator<Item = &'a GeneralName<'a>>) -> impl Iterator<Item = Value> {
    names.filter_map(|name| match name {
        GeneralName::URI(uri) => Some(Value::from(*uri)),
        _ => None,
    })
}

fn mapping(mapping: &x509_parser::extensions::PolicyMapping<'_>) -> Value {
    object([
        ("IssuerDomainPolicy", Value::from(mapping.issuer_domain_policy.to_id_string())),
        ("SubjectDomainPolicy", Value::from(mapping.subject_domain_policy.to_id_string())),
    ])
}

/// Extended key usages in their order: Go's numbers, and the identifiers of the others.
fn usages(value: &[u8]) -> Option<(Vec<Value>, Vec<Value>)> {
    let mut reader = Reader::only_sequence(value)?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    while !reader.is_empty() {
        let id = Oid::new(reader.expect(der::OID)?.into());
        match usage::number(&id.to_id_string()) {
            Some(number) => known.push(Value::from(number)),
            None => unknown.push(oid(&id)),
        }
    }
    Some((known, unknown))
}

/// Whether the extended key usages, if there are any, have one of those wanted.
pub(super) fn allows(extensions: &[X509Extension<'_>], wanted: &[&str]) -> bool {
    let has_usages = |e: &&X509Extension<'_>| {
        matches!(e.parsed_extension(), ParsedExtension::ExtendedKeyUsage(_))
    };
    let Some(extension) = extensions.iter().find(has_usages) else { return true };
    let Some(mut reader) = Reader::only_sequence(extension.value) else { return false };
    while let Some(id) = reader.expect(der::OID) {
        if usage::fits(&Oid::new(id.into()).to_id_string(), wanted) {
            return true;
        }
    }
    false
}
