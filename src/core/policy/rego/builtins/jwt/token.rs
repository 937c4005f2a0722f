//! A token's three parts (RFC 7515, compact form), and `io.jwt.decode`, which verifies nothing.

use regorus::Value;

use super::super::crypto::{from_base64_url, hex, invalid, text_up_to};
use super::super::{Builtin, BuiltinError};

/// The head of a request holds no longer token.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// A token in a token in a token: each is decoded, and may be verified, on its own.
pub(super) const MAX_NESTING: usize = 4;

pub(in super::super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "io.jwt.decode", arity: 1, run: |a| decode(token_text(a)?, 1) }];

/// The first argument, which is a token.
pub(super) fn token_text(arguments: &[Value]) -> Result<&str, BuiltinError> {
    text_up_to(arguments, 0, MAX_TOKEN_BYTES)
}

/// The parts as they are written.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// Header and payload with the period between them.
    signed: &'a str,
}

impl<'a> Token<'a> {
    pub(super) fn split(text: &'a str) -> Result<Self, BuiltinError> {
        let Some((signed, signature)) = text.rsplit_once('.') else {
            return Err(invalid("encoded JWT had no period separators"));
        };
        match signed.split_once('.') {
            Some((header, payload)) if !payload.contains('.') => {
                Ok(Self { header, payload, signature, signed })
            }
            _ => {
                let found = text.split('.').count();
                Err(invalid(format!("encoded JWT must have 3 sections, found {found}")))
            }
        }
    }

    pub(super) fn signed(self) -> &'a [u8] {
        self.signed.as_bytes()
    }

    pub(super) fn signature(self) -> Result<Vec<u8>, BuiltinError> {
        part("signature", self.signature)
    }

    pub(super) fn header(self) -> Result<Value, BuiltinError> {
        let header = json_object(&part("header", self.header)?)
            .map_err(|error| invalid(format!("bad JWT header: {error}")))?;
        if member(&header, "enc").is_some() {
            return Err(invalid("JWT is a JWE object, which is not supported"));
        }
        Ok(header)
    }

    pub(super) fn payload(self) -> Result<Vec<u8>, BuiltinError> {
        part("payload", self.payload)
    }
}

fn part(name: &str, text: &str) -> Result<Vec<u8>, BuiltinError> {
    from_base64_url(text)
        .map_err(|error| invalid(format!("JWT {name} had invalid encoding: {error}")))
}

/// Of members with one name the last counts, as in OPA.
pub(super) fn json_object(bytes: &[u8]) -> Result<Value, BuiltinError> {
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("invalid JSON: not UTF-8"))?;
    let value = Value::from_json_str(text).map_err(|_| invalid("invalid JSON"))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(invalid("decoded JSON type was not an Object")),
    }
}

/// A member of an object, if it has it.
pub(super) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object().ok()?.get(&Value::from(name))
}

/// A member that is a text; an error where it is something else.
pub(super) fn text_member<'a>(
    object: &'a Value,
    name: &str,
) -> Result<Option<&'a str>, BuiltinError> {
    match member(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name}: must be a string"))),
    }
}

/// Header, payload and signature in hex; of a token in a token, those of the inner one.
fn decode(text: &str, level: usize) -> Result<Value, BuiltinError> {
    let token = Token::split(text)?;
    let header = token.header()?;
    let payload = token.payload()?;
    if text_member(&header, "cty")? == Some("JWT") {
        let inner = inner_token(&payload, level)?;
        // What signs a token as a text quotes it.
        return decode(inner.trim_matches(['"', '\'']), level.saturating_add(1));
    }
    let payload = json_object(&payload)?;
    let signature = Value::from(hex(&token.signature()?));
    Ok(Value::from(vec![header, payload, signature]))
}

/// The payload of the token at `level` as a token, unless that would be one too many.
pub(super) fn inner_token(payload: &[u8], level: usize) -> Result<&str, BuiltinError> {
    if level >= MAX_NESTING {
        return Err(invalid(format!("JWT holds more than {MAX_NESTING} tokens in each other")));
    }
    std::str::from_utf8(payload).map_err(|_| invalid("nested JWT is not UTF-8"))
}
