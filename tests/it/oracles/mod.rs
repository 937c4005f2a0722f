//! Other people's implementations of the same standards, run on our cases.

mod x509;
