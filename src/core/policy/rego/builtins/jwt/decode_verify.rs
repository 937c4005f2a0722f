//! `io.jwt.decode_verify`: signature and claims against a policy's constraints.

use std::cmp::Ordering;

use regorus::Value;

use super::super::crypto::{invalid, text_of};
use super::super::{Builtin, BuiltinError, clock};
use super::algorithm::{Algorithm, Key};
use super::keys::{self, Attempts, Signed, TrustedKey};
use super::token::{Token, inner_token, json_object, member, text_member, token_text};

const NS_PER_SECOND: f64 = 1e9;

pub(in super::super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "io.jwt.decode_verify", arity: 2, run }];

/// What a token must satisfy; an empty text constrains nothing.
struct Constraints<'a> {
    keys: Vec<TrustedKey>,
    algorithm: &'a str,
    issuer: &'a str,
    audience: &'a str,
    /// In nanoseconds since 1970.
    time: f64,
}

/// `[true, header, payload]`, or `[false, {}, {}]` where the signature or a constraint is not met;
/// what is no token, or no constraint, is an error.
fn run(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = token_text(arguments)?;
    let constraints = constraints(arguments.get(1).unwrap_or(&Value::Undefined))?;
    let mut attempts = Attempts::new();
    let verified = match verified(text, &constraints, &mut attempts, 1)? {
        Some((header, payload)) if constraints.meets(&payload)? => {
            vec![Value::from(true), header, payload]
        }
        Some(_) | None => vec![Value::from(false), Value::new_object(), Value::new_object()],
    };
    Ok(Value::from(verified))
}

fn constraints(object: &Value) -> Result<Constraints<'_>, BuiltinError> {
    let members = object.as_object().map_err(|_| invalid("operand 2 must be an object"))?;
    let mut read = Constraints {
        keys: Vec::new(),
        algorithm: "",
        issuer: "",
        audience: "",
        #[expect(clippy::cast_precision_loss, reason = "OPA compares times as floats too")]
        time: clock::now_ns() as f64,
    };
    let mut secret = "";
    let mut has_keys = false;
    for (name, value) in members.iter() {
        let name: &str =
            name.as_string().map_err(|_| invalid("a constraint's name is no string"))?;
        let text = || {
            text_of(value).ok_or_else(|| invalid(format!("{name} constraint: must be a string")))
        };
        match name {
            "cert" => (read.keys, has_keys) = (keys::trusted(text()?)?, true),
            "secret" => secret = text()?,
            "alg" => read.algorithm = text()?,
            "iss" => read.issuer = text()?,
            "aud" => read.audience = text()?,
            "time" => read.time = time(value)?,
            _ => return Err(invalid(format!("unknown token validation constraint: {name}"))),
        }
    }
    match (has_keys, secret) {
        (true, "") => Ok(read),
        (true, _) => Err(invalid("duplicate key constraints")),
        (false, "") => Err(invalid("no key constraint")),
        (false, secret) => {
            let key = Key::Secret(secret.as_bytes().to_vec());
            read.keys = vec![TrustedKey { id: None, algorithm: None, key }];
            Ok(read)
        }
    }
}

fn time(value: &Value) -> Result<f64, BuiltinError> {
    // Above 2^53 the number is rounded, as OPA rounds it.
    let number = value.as_number().ok();
    let number = number.and_then(|number| number.format_decimal().parse::<f64>().ok());
    match number {
        None => Err(invalid("token time constraint: must be a number")),
        Some(time) if time < 0.0 => Err(invalid("token time constraint: must not be negative")),
        Some(time) => Ok(time),
    }
}

/// Header and payload of the innermost token, where the signature of each around it is right.
fn verified(
    text: &str,
    constraints: &Constraints<'_>,
    attempts: &mut Attempts,
    level: usize,
) -> Result<Option<(Value, Value)>, BuiltinError> {
    let token = Token::split(text)?;
    let header = token.header()?;
    let named = text_member(&header, "alg")?;
    let key_id = text_member(&header, "kid")?;
    text_member(&header, "typ")?;
    let is_nested = text_member(&header, "cty")?.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT"));
    if !is_understood(&header)? {
        return Ok(None);
    }
    let Some(algorithm) = named.and_then(Algorithm::named) else { return Ok(None) };
    if !constraints.algorithm.is_empty() && named != Some(constraints.algorithm) {
        return Ok(None);
    }
    let signature = token.signature()?;
    let signed = Signed { named, key_id, message: token.signed(), signature: &signature };
    if !keys::verify(&constraints.keys, algorithm, &signed, attempts)? {
        return Ok(None);
    }
    let payload = token.payload()?;
    if is_nested {
        let inner = inner_token(&payload, level)?;
        return verified(inner, constraints, attempts, level.saturating_add(1));
    }
    Ok(Some((header, json_object(&payload)?)))
}

/// RFC 7515, 4.1.11: what the header calls critical must be known. None of the members that are
/// known here may stand there, so whatever does is not understood unless it is absent.
fn is_understood(header: &Value) -> Result<bool, BuiltinError> {
    let Some(critical) = member(header, "crit") else { return Ok(true) };
    let names = critical.as_array().map_err(|_| invalid("crit: must be a list"))?;
    if names.is_empty() {
        return Err(invalid("crit: must be a nonempty list"));
    }
    Ok(names
        .iter()
        .all(|name| matches!(text_of(name), Some("alg" | "kid" | "typ" | "cty" | "crit"))))
}

impl Constraints<'_> {
    fn meets(&self, payload: &Value) -> Result<bool, BuiltinError> {
        if !self.issuer.is_empty() && member(payload, "iss").and_then(text_of) != Some(self.issuer)
        {
            return Ok(false);
        }
        let is_audience = match member(payload, "aud") {
            None => self.audience.is_empty(),
            // A token for somebody is not accepted by a policy that does not say whom it is for.
            Some(Value::Array(many)) => many.iter().any(|one| text_of(one) == Some(self.audience)),
            Some(one) => text_of(one) == Some(self.audience),
        };
        let now = Value::from(self.time / NS_PER_SECOND);
        let is_live = compared(&now, payload, "exp")?.is_none_or(|is| is == Ordering::Less);
        let is_begun = compared(&now, payload, "nbf")?.is_none_or(|is| is != Ordering::Less);
        Ok(is_audience && is_live && is_begun)
    }
}

/// How the time compares with a claim, if the token has it.
fn compared(now: &Value, payload: &Value, claim: &str) -> Result<Option<Ordering>, BuiltinError> {
    match member(payload, claim) {
        None => Ok(None),
        Some(limit @ Value::Number(_)) => Ok(Some(now.cmp(limit))),
        Some(_) => Err(invalid(format!("{claim} value must be a number"))),
    }
}

/// Whether a token that is not nested is signed by one of the keys; its payload may be anything.
#[cfg(test)]
pub(super) fn is_signature_right(text: &str, keys: &str) -> bool {
    let Ok(keys) = keys::trusted(keys) else { return false };
    let constraints = Constraints { keys, algorithm: "", issuer: "", audience: "", time: 0.0 };
    match verified(text, &constraints, &mut Attempts::new(), 1) {
        Ok(found) => found.is_some(),
        // The payload is read only after the signature is verified.
        Err(error) => error.0.contains("JSON") && !error.0.contains("header"),
    }
}
