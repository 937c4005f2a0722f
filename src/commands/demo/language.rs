//! The two languages of the example policies, and the one line of each that the demo changes.

/// The language of the demo's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Cedar,
    Rego,
}

impl Language {
    /// As people write it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cedar => "Cedar",
            Self::Rego => "Rego",
        }
    }

    /// The bundle's folder below `policies/`.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Cedar => "cedar",
            Self::Rego => "rego",
        }
    }

    /// The file whose line is changed, in the bundle.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Cedar => "orders.cedar",
            Self::Rego => "authz/orders.rego",
        }
    }

    /// For `sed`: who reads reports becomes every workload of the trust domain.
    pub(super) const fn edit(self) -> &'static str {
        match self {
            Self::Cedar => r#"s|== Workload::".*/sa/batch"|in TrustDomain::"demo.test"|"#,
            Self::Rego => r#"s|spiffe_id == batch|trust_domain == "demo.test"|"#,
        }
    }

    /// What stands in the policy that lets the web shop read orders, and before in no other.
    pub(super) const fn reads_orders(self) -> &'static str {
        match self {
            Self::Cedar => r#"principal == Workload::"spiffe://demo.test/ns/shop/sa/web""#,
            Self::Rego => "spiffe_id == web",
        }
    }

    /// What stands in the changed line and in no other.
    pub(super) const fn edited(self) -> &'static str {
        match self {
            Self::Cedar => r#"in TrustDomain::"demo.test""#,
            Self::Rego => r#"trust_domain == "demo.test""#,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::shipped;

    #[test]
    fn the_line_that_is_changed_stands_once_in_the_policies_that_are_shipped() {
        for (language, pattern) in
            [(Language::Cedar, "/sa/batch\""), (Language::Rego, "spiffe_id == batch")]
        {
            let mut files = shipped::bundle(language.folder());
            let (_, text) = files.find(|(path, _)| *path == language.file()).unwrap();
            let count = |part| text.matches(part).count();
            // In Rego the name of the batch job is defined elsewhere.
            assert_eq!((count(pattern), count(language.edited())), (1, 0), "{language:?}");
        }
    }
}
