//! Other people's implementations of the same standards over our cases: each difference is deliberate
//! and has its reason.

mod jwt;
mod x509;
