//! How the callers of a listener prove who they are, in a code and in words.

use crate::http::Proof;

/// As `listeners[].callers` has it.
pub(super) const fn code(proof: Proof) -> &'static str {
    match proof {
        Proof::X509 => "x509",
        Proof::Jwt => "jwt",
        Proof::Both => "both",
        Proof::Either => "either",
    }
}

/// ``callers by JWT-SVID for `orders` ``; a code of a later version is shown as it is.
pub(super) fn in_words(code: &str, audience: &[String]) -> String {
    const X509: &str = "X.509-SVID (mTLS)";
    let audience: Vec<String> = audience.iter().map(|name| format!("`{name}`")).collect();
    let token = format!("JWT-SVID for {}", audience.join(" or "));
    match code {
        "x509" => format!("callers by {X509}"),
        "jwt" => format!("callers by {token}"),
        "both" => format!("callers by {X509} and {token}, both"),
        "either" => format!("callers by either {X509} or {token}"),
        other => format!("callers by `{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_proof_is_told_with_what_a_token_must_be_for() {
        let of = |proof| in_words(code(proof), &["orders".to_owned(), "shop".to_owned()]);
        assert_eq!(of(Proof::X509), "callers by X.509-SVID (mTLS)");
        assert_eq!(of(Proof::Jwt), "callers by JWT-SVID for `orders` or `shop`");
        let (both, either) = (of(Proof::Both), of(Proof::Either));
        assert_eq!(both, "callers by X.509-SVID (mTLS) and JWT-SVID for `orders` or `shop`, both");
        assert_eq!(
            either,
            "callers by either X.509-SVID (mTLS) or JWT-SVID for `orders` or `shop`"
        );
    }
}
