//! `net.cidr_*`: IPv4-mapped addresses are IPv4 addresses, as in Go, and every list has a bound.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regorus::Value;

use super::arguments::{at, check_elements, check_steps, error, kind, string, strings};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "net.cidr_is_valid", arity: 1, run: cidr_is_valid },
    Builtin { name: "net.cidr_contains", arity: 2, run: cidr_contains },
    Builtin { name: "net.cidr_contains_matches", arity: 2, run: cidr_contains_matches },
    Builtin { name: "net.cidr_intersects", arity: 2, run: cidr_intersects },
    Builtin { name: "net.cidr_expand", arity: 1, run: cidr_expand },
    Builtin { name: "net.cidr_merge", arity: 1, run: cidr_merge },
];

/// The addresses from `first` to `last`; both are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    is_v6: bool,
    first: u128,
    last: u128,
}

impl Range {
    fn of(address: IpAddr, prefix: u32) -> Self {
        let (is_v6, bits, width) = match address {
            IpAddr::V4(address) => (false, u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (true, address.to_bits(), 128),
        };
        let host = u128::MAX.checked_shr(128 - (width - prefix)).unwrap_or_default();
        Self { is_v6, first: bits & !host, last: bits | host }
    }

    const fn contains(self, other: Self) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.first && other.last <= self.last
    }

    const fn intersects(self, other: Self) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.last && other.first <= self.last
    }

    fn address(self, bits: u128) -> IpAddr {
        match (self.is_v6, u32::try_from(bits)) {
            (false, Ok(bits)) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

/// A mapped network with a prefix of 96 bits or more is an IPv4 network.
fn cidr(text: &str) -> Result<Range, BuiltinError> {
    let invalid = || BuiltinError(format!("`{text}` is no CIDR"));
    let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    // A leading zero is well-formed, a sign is not.
    if prefix.is_empty() || prefix.len() > 5 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid());
    }
    let prefix: u32 = prefix.parse().map_err(|_| invalid())?;
    if prefix > if address.is_ipv4() { 32 } else { 128 } {
        return Err(invalid());
    }
    Ok(match address {
        IpAddr::V6(v6) if prefix >= 96 && v6.to_ipv4_mapped().is_some() => {
            Range::of(address.to_canonical(), prefix - 96)
        }
        _ => Range::of(address, prefix),
    })
}

fn cidr_or_address(text: &str) -> Result<Range, BuiltinError> {
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => Ok(Range::of(address, if address.is_ipv4() { 32 } else { 128 })),
        Err(_) => cidr(text),
    }
}

fn cidr_is_valid(arguments: &[Value]) -> Result<Value, BuiltinError> {
    // OPA takes anything here.
    Ok(Value::from(string(arguments, 0).is_ok_and(|text| cidr(text).is_ok())))
}

fn cidr_contains(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let outer = cidr(string(arguments, 0)?)?;
    Ok(Value::from(outer.contains(cidr_or_address(string(arguments, 1)?)?)))
}

fn cidr_intersects(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let left = cidr(string(arguments, 0)?)?;
    Ok(Value::from(left.intersects(cidr(string(arguments, 1)?)?)))
}

fn cidr_contains_matches(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let outer = keyed(at(arguments, 0)?, cidr)?;
    let inner = keyed(at(arguments, 1)?, cidr_or_address)?;
    check_steps(outer.len(), inner.len())?;
    let mut matches = Vec::new();
    for (outer_key, outer) in &outer {
        for (inner_key, _) in inner.iter().filter(|(_, inner)| outer.contains(*inner)) {
            matches.push(Value::from(vec![outer_key.clone(), inner_key.clone()]));
            check_elements(matches.len())?;
        }
    }
    Ok(Value::from(matches.into_iter().collect::<BTreeSet<_>>()))
}

/// Each with what the result calls it: itself in a string or set, else its index or key.
fn keyed(
    value: &Value,
    parse: fn(&str) -> Result<Range, BuiltinError>,
) -> Result<Vec<(Value, Range)>, BuiltinError> {
    let read = |value: &Value| match value {
        Value::String(text) => parse(text),
        // A tuple begins with its network.
        Value::Array(tuple) => match tuple.first() {
            Some(Value::String(text)) => parse(text),
            _ => error("an array must begin with a CIDR"),
        },
        other => error(format!("a network must be a string or array, not {}", kind(other))),
    };
    match value {
        Value::String(_) => Ok(vec![(value.clone(), read(value)?)]),
        Value::Array(array) => {
            let pair = |(index, value)| Ok((Value::from(index), read(value)?));
            array.iter().enumerate().map(pair).collect()
        }
        Value::Set(set) => set.iter().map(|value| Ok((value.clone(), read(value)?))).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| Ok((key.clone(), read(value)?))).collect()
        }
        other => error(format!("networks must be a string or a collection, not {}", kind(other))),
    }
}

fn cidr_expand(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let range = cidr(string(arguments, 0)?)?;
    check_elements(usize::try_from(range.last - range.first).unwrap_or(usize::MAX))?;
    let name = |bits| Value::from(range.address(bits).to_string());
    Ok(Value::from((range.first..=range.last).map(name).collect::<BTreeSet<_>>()))
}

fn cidr_merge(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let texts = strings(arguments, 0)?;
    check_elements(texts.len())?;
    let mut ranges = texts.into_iter().map(mergeable).collect::<Result<Vec<_>, _>>()?;
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last)
                if last.is_v6 == range.is_v6 && range.first <= last.last.saturating_add(1) =>
            {
                last.last = last.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    let networks = merged.into_iter().flat_map(networks).map(Value::from);
    Ok(Value::from(networks.collect::<BTreeSet<_>>()))
}

/// An IPv4 address stands for the network of its class, which is what OPA takes it for.
fn mergeable(text: &str) -> Result<Range, BuiltinError> {
    let Ok(address) = text.parse::<IpAddr>() else { return cidr(text) };
    match address.to_canonical() {
        IpAddr::V4(v4) => match v4.octets() {
            [0..128, ..] => Ok(Range::of(v4.into(), 8)),
            [128..192, ..] => Ok(Range::of(v4.into(), 16)),
            [192..224, ..] => Ok(Range::of(v4.into(), 24)),
            _ => error(format!("`{text}` has no network of its class")),
        },
        IpAddr::V6(_) => error(format!("`{text}` needs a prefix length")),
    }
}

/// The fewest networks that are exactly these addresses: at most two for each bit of an address.
fn networks(range: Range) -> Vec<String> {
    let width: u32 = if range.is_v6 { 128 } else { 32 };
    let mut networks = Vec::new();
    let mut first = range.first;
    loop {
        let mut bits = first.trailing_zeros().min(width);
        while bits > 0 && first.checked_add(host(bits)).is_none_or(|last| last > range.last) {
            bits -= 1;
        }
        networks.push(format!("{}/{}", range.address(first), width - bits));
        match first.checked_add(host(bits)).and_then(|last| last.checked_add(1)) {
            Some(next) if next <= range.last => first = next,
            _ => return networks,
        }
    }
}

const fn host(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX >> (128 - bits) }
}
