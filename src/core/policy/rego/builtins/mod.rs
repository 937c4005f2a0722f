//! The builtin functions that are ours: what regorus lacks, what it gets wrong, and what a decision
//! may not call.
//!
//! Each stands in the table of its family, once, with a bound on its cost; [`install`] puts all of
//! them before regorus' own in an engine, and [`arity`] tells the load check of them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "values of the kinds that are not wanted share one answer, mostly an error"
)]

mod arguments;
mod clock;
mod crypto;
mod jwt;
mod template;
mod text;
mod formats;
mod re2;
mod regexes;
mod globs;
mod globs_match;
mod net;
mod uri;
mod numbers;
mod collections;
mod times;
mod bounded;
mod strict;
mod paths;
mod urlquery;
mod refused;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod wrong_types;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod reference;

use anyhow::anyhow;
use regorus::{Engine, Value};

pub(super) use arguments::{kind, set_wide};
pub(super) use clock::set_now;
pub(super) use refused::reason_refused;

/// One builtin function.
#[derive(Debug)]
pub(super) struct Builtin {
    /// As it is written in a policy: `time.now_ns`.
    pub(super) name: &'static str,
    pub(super) arity: u8,
    /// Gets exactly `arity` values, none of them undefined.
    pub(super) run: fn(&[Value]) -> Result<Value, BuiltinError>,
}

/// Why a call has no value; it becomes an error of the decision. It may quote its arguments, and is
/// masked with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BuiltinError(pub(super) String);

const FAMILIES: &[&[Builtin]] = &[
    clock::BUILTINS,
    template::BUILTINS,
    text::BUILTINS,
    formats::BUILTINS,
    globs_match::BUILTINS,
    regexes::BUILTINS,
    globs::BUILTINS,
    net::BUILTINS,
    uri::BUILTINS,
    numbers::BUILTINS,
    collections::BUILTINS,
    times::BUILTINS,
    bounded::BUILTINS,
    strict::BUILTINS,
    paths::BUILTINS,
    urlquery::BUILTINS,
    crypto::HASH,
    crypto::CERTIFICATE,
    crypto::CHAIN,
    crypto::REQUEST,
    crypto::PRIVATE_KEY,
    jwt::DECODE,
    jwt::VERIFY,
    jwt::DECODE_VERIFY,
    jwt::SIGN,
    #[cfg(test)]
    tests::BUILTINS,
];

fn all() -> impl Iterator<Item = &'static Builtin> {
    FAMILIES.iter().copied().flatten()
}

/// How many arguments one of ours takes.
pub(super) fn arity(name: &str) -> Option<usize> {
    all().find(|builtin| builtin.name == name).map(|builtin| usize::from(builtin.arity))
}

/// What ours are called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|builtin| builtin.name)
}

/// Puts ours into a new engine, where they go before regorus' own of the same names.
pub(super) fn install(engine: &mut Engine) {
    for builtin in all() {
        let run = |arguments: Vec<Value>| {
            let name = builtin.name;
            (builtin.run)(&arguments).map_err(|error| anyhow!("`{name}`: {error}"))
        };
        // It fails only where the name is taken by another extension; a new engine has none.
        let _ = engine.add_extension(builtin.name.to_owned(), builtin.arity, Box::new(run));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// No argument is known to make another one panic.
    pub(super) const BUILTINS: &[Builtin] = &[Builtin {
        name: "test.panic_on",
        arity: 2,
        run: |arguments| {
            assert_ne!(arguments.first(), arguments.get(1));
            Ok(Value::from(true))
        },
    }];

    #[test]
    fn a_name_stands_once_and_is_not_refused() {
        let mut seen = BTreeSet::new();
        for builtin in all() {
            assert!(seen.insert(builtin.name), "{} stands twice", builtin.name);
            assert_eq!(reason_refused(builtin.name), None, "{}", builtin.name);
        }
    }
}
