//! `uri.is_valid` and `uri.parse`, by the rules of Go's `net/url`, which OPA uses.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use regorus::Value;

use super::arguments::{check_text, error, string};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "uri.is_valid", arity: 1, run: is_valid },
    Builtin { name: "uri.parse", arity: 1, run: parse },
];

fn is_valid(arguments: &[Value]) -> Result<Value, BuiltinError> {
    // OPA takes anything here.
    let Ok(text) = string(arguments, 0) else { return Ok(Value::from(false)) };
    Ok(Value::from(!text.is_empty() && parts(text).is_ok()))
}

fn parse(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let parts = parts(string(arguments, 0)?)?;
    let object = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let object = object.map(|(key, value)| (Value::from(key), Value::from(value)));
    Ok(Value::from(object.collect::<BTreeMap<_, _>>()))
}

type Parts = BTreeMap<&'static str, String>;

fn parts(text: &str) -> Result<Parts, BuiltinError> {
    check_text(text.len())?;
    let mut parts = Parts::new();
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return error("the URI holds a control character");
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    parts.insert("fragment", unescape(fragment, Place::Fragment)?);
    if rest == "*" {
        parts.insert("path", "*".to_owned());
        parts.insert("raw_path", "*".to_owned());
        return Ok(parts);
    }
    let (scheme, rest) = scheme(rest)?;
    parts.insert("scheme", scheme.to_ascii_lowercase());
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    parts.insert("raw_query", query.to_owned());
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(parts); // `mailto:a@b`: what follows is opaque
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return error("the first path segment of a URI without scheme holds a colon");
        }
    }
    let has_authority = rest.starts_with("//") && (!scheme.is_empty() || !rest.starts_with("///"));
    let path = match rest.strip_prefix("//").filter(|_| has_authority) {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            put_authority(authority, &mut parts)?;
            path
        }
        None => rest,
    };
    let decoded = unescape(path, Place::Path)?;
    // The raw form is kept only where writing the decoded one would give another.
    let raw = if escape(&decoded) == path { decoded.clone() } else { path.to_owned() };
    parts.insert("raw_path", raw);
    parts.insert("path", decoded);
    Ok(parts)
}

fn scheme(text: &str) -> Result<(&str, &str), BuiltinError> {
    for (index, character) in text.char_indices() {
        match character {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return error("the URI has no scheme before `:`"),
            ':' => return Ok(text.split_once(':').unwrap_or_default()),
            _ => break,
        }
    }
    Ok(("", text))
}

fn put_authority(authority: &str, parts: &mut Parts) -> Result<(), BuiltinError> {
    let host = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let is_allowed =
                |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(is_allowed) {
                return error("the URI's user information holds a character that it may not");
            }
            unescape(user, Place::User)?;
            host
        }
        None => authority,
    };
    let (name, port) = if host.starts_with('[') {
        let Some((name, port)) = host.rsplit_once(']') else {
            return error("the host has no `]`");
        };
        let name = name.strip_prefix('[').unwrap_or(name);
        let (address, zone) = name.split_once("%25").unwrap_or((name, ""));
        let zone = unescape(zone, Place::Zone)?;
        let address = unescape(address, Place::Host)?;
        if address.parse::<Ipv6Addr>().is_err() {
            return error("the host between brackets is no IPv6 address");
        }
        let name = if zone.is_empty() { address } else { format!("{address}%{zone}") };
        (name, port)
    } else {
        let (name, port) = match host.rfind(':') {
            Some(colon) => host.split_at_checked(colon).unwrap_or((host, "")),
            None => (host, ""),
        };
        (unescape(name, Place::Host)?, port)
    };
    let digits = port.strip_prefix(':').unwrap_or_default();
    if (!port.is_empty() && !port.starts_with(':')) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return error("the host has an invalid port");
    }
    parts.insert("hostname", name);
    parts.insert("port", digits.to_owned());
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    User,
    Host,
    Zone,
    Path,
    Fragment,
}

fn unescape(text: &str, place: Place) -> Result<String, BuiltinError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            let is_host = matches!(place, Place::Host | Place::Zone);
            if is_host && byte < 0x80 && !is_host_byte(byte) {
                return error(format!("the host holds `{}`", char::from(byte).escape_debug()));
            }
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return error("the URI holds an invalid `%` escape");
        };
        let byte = u8::try_from(high * 16 + low).unwrap_or_default();
        // In a host only what is not ASCII may be escaped, and `%` itself before a zone.
        if place == Place::Host && byte < 0x80 && byte != b'%' {
            return error("the host holds an escape that it may not");
        }
        bytes.push(byte);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// As Go writes a path.
fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
