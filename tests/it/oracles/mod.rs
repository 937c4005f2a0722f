//! Other people's verifiers over our cases: each difference is deliberate and has its reason.

mod x509;
mod jwt;
