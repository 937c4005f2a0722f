//! Where the crate answers otherwise than we do, and why. A difference that is not listed fails the
//! comparison, and so does a listed one that is none any more.

pub(super) const LIST: &[(&str, &[&str])] = &[
    (
        "the crate makes upper case lower (SPIFFE-ID §2.4); §2.1 demands lower case",
        &[
            "ids::domain-in-upper-case",
            "ids::scheme-in-mixed-case",
            "ids::scheme-in-upper-case",
            "ids::upper-case-id-of-a-server",
        ],
    ),
    (
        "the crate does not count a URI name that is no text (X509-SVID §2)",
        &["leaf::spiffe-id-and-bytes"],
    ),
    (
        "the crate asks for basicConstraints; without it cA is false (RFC 5280 §4.2.1.9)",
        &["leaf::basic-constraints-absent"],
    ),
    (
        "the crate does not ask that keyUsage is critical (X509-SVID §4.3)",
        &[
            "chain::issuer-that-is-an-svid-and-its-key-usage-is-not-critical",
            "leaf::key-usage-not-critical",
        ],
    ),
    (
        "the crate lets a leaf have critical name constraints (RFC 5280 §4.2.1.10)",
        &["chain::constraints-in-a-leaf"],
    ),
    ("the crate overlooks bytes after a value", &["leaf::bytes-after-the-key-usage"]),
    (
        "the crate asks only for the use of this end of the connection (X509-SVID §4.4)",
        &["leaf::any-use-and-client", "leaf::client-use-only", "leaf::server-use-only-of-a-server"],
    ),
    (
        "the crate lets an intermediate do without keyUsage (X509-SVID §4.3)",
        &["chain::issuer-without-key-usage"],
    ),
    (
        "the crate does not read the IDs of signing certificates (X509-SVID §3.2)",
        &[
            "chain::issuer-whose-id-has-a-path",
            "chain::issuer-whose-id-is-not-canonical",
            "chain::issuer-with-two-ids",
        ],
    ),
    (
        "the crate takes any certificate of a bundle for a root (X509-SVID §3.2)",
        &[
            "chain::only-root-without-ca",
            "chain::root-that-is-a-leaf",
            "chain::root-without-basic-constraints",
            "chain::root-without-ca",
            "chain::root-without-key-cert-sign",
            "encodings::version-1-root",
            "extensions::unknown-critical-in-a-root",
        ],
    ),
    (
        "the crate does not look at a root's validity (RFC 5280 §6.1)",
        &[
            "validity::root-expired",
            "validity::root-expired-above-an-intermediate",
            "validity::root-not-yet-valid",
        ],
    ),
    (
        "the crate does not look at a root's path length (RFC 5280 §4.2.1.9)",
        &["chain::path-length-0-of-a-root-exceeded", "chain::path-length-of-a-root-exceeded"],
    ),
    (
        "the crate takes RSA keys with small exponents (FIPS 186-5 §5.4)",
        &["algorithms::leaf-rsa-exponent-3", "algorithms::root-rsa-exponent-3"],
    ),
    (
        "the crate reads larger certificates, serial numbers and lists of extensions than we do",
        &[
            "encodings::certificate-of-40-kib",
            "encodings::intermediate-of-40-kib",
            "encodings::serial-of-1000-bytes",
            "encodings::serial-of-21-bytes",
            "extensions::extensions-65",
        ],
    ),
    (
        "the crate does not look at serial numbers (RFC 5280 §4.1.2.2)",
        &[
            "encodings::serial-empty",
            "encodings::serial-negative",
            "encodings::serial-padded",
            "encodings::serial-zero",
        ],
    ),
    (
        "the crate counts only the extensions that it reads (RFC 5280 §4.2)",
        &["extensions::authority-key-id-twice", "extensions::unknown-twice"],
    ),
    (
        "the crate reads no revocation lists",
        &[
            "crls::intermediate-revoked",
            "crls::leaf-of-a-federated-domain-revoked",
            "crls::leaf-revoked",
            "crls::leaf-revoked-among-many",
            "crls::leaf-revoked-below-an-intermediate",
            "crls::leaf-revoked-of-a-server",
            "crls::leaf-revoked-with-a-reason",
            "crls::overdue-and-leaf-revoked",
            "crls::revoked-before-it-began",
            "crls::rubbish-beside-a-list-that-revokes",
            "crls::two-lists-and-one-revokes",
        ],
    ),
];
