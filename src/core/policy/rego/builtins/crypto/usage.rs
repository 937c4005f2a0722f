//! Extended key usages: Go's number, the name of an OPA option, and the identifier of each.

struct Usage {
    /// As `KeyUsages` of `crypto.x509.parse_and_verify_certificates_with_options` has it.
    name: &'static str,
    oid: &'static str,
}

/// In the order of Go's numbers.
const USAGES: [Usage; 14] = [
    Usage { name: "KeyUsageAny", oid: "2.5.29.37.0" },
    Usage { name: "KeyUsageServerAuth", oid: "1.3.6.1.5.5.7.3.1" },
    Usage { name: "KeyUsageClientAuth", oid: "1.3.6.1.5.5.7.3.2" },
    Usage { name: "KeyUsageCodeSigning", oid: "1.3.6.1.5.5.7.3.3" },
    Usage { name: "KeyUsageEmailProtection", oid: "1.3.6.1.5.5.7.3.4" },
    Usage { name: "KeyUsageIPSECEndSystem", oid: "1.3.6.1.5.5.7.3.5" },
    Usage { name: "KeyUsageIPSECTunnel", oid: "1.3.6.1.5.5.7.3.6" },
    Usage { name: "KeyUsageIPSECUser", oid: "1.3.6.1.5.5.7.3.7" },
    Usage { name: "KeyUsageTimeStamping", oid: "1.3.6.1.5.5.7.3.8" },
    Usage { name: "KeyUsageOCSPSigning", oid: "1.3.6.1.5.5.7.3.9" },
    Usage { name: "KeyUsageMicrosoftServerGatedCrypto", oid: "1.3.6.1.4.1.311.10.3.3" },
    Usage { name: "KeyUsageNetscapeServerGatedCrypto", oid: "2.16.840.1.113730.4.1" },
    Usage { name: "KeyUsageMicrosoftCommercialCodeSigning", oid: "1.3.6.1.4.1.311.2.1.22" },
    Usage { name: "KeyUsageMicrosoftKernelCodeSigning", oid: "1.3.6.1.4.1.311.61.1.1" },
];

/// What fits every usage.
pub(super) const ANY: &str = "2.5.29.37.0";
pub(super) const SERVER: &str = "1.3.6.1.5.5.7.3.1";

/// Go's number of an identifier.
pub(super) fn number(oid: &str) -> Option<usize> {
    USAGES.iter().position(|usage| usage.oid == oid)
}

/// The identifier of an option.
pub(super) fn named(name: &str) -> Option<&'static str> {
    USAGES.iter().find(|usage| usage.name == name).map(|usage| usage.oid)
}

/// Whether a certificate with this one has one of those wanted.
pub(super) fn fits(oid: &str, wanted: &[&str]) -> bool {
    oid == ANY || wanted.iter().any(|want| *want == ANY || *want == oid)
}
