//! Base64 and hex as Go reads and writes them.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regorus::Value;
use x509_parser::num_bigint::BigUint;

use super::super::BuiltinError;
use super::invalid;

const PADDED: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
const URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn base64(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
}

/// Line breaks are skipped.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, BuiltinError> {
    let packed: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    PADDED.decode(packed).map_err(illegal)
}

pub(in super::super) fn base64_url(bytes: &[u8]) -> String {
    URL.encode(bytes)
}

/// With or without padding.
pub(in super::super) fn from_base64_url(text: &str) -> Result<Vec<u8>, BuiltinError> {
    URL.decode(text).map_err(illegal)
}

fn illegal(error: base64::DecodeError) -> BuiltinError {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            invalid(format!("illegal base64 data at input byte {at}"))
        }
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
            invalid("illegal base64 data at its end")
        }
    }
}

pub(in super::super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A big-endian unsigned number.
pub(super) fn number(bytes: &[u8]) -> Value {
    big(&BigUint::from_bytes_be(bytes))
}

pub(super) fn big(number: &BigUint) -> Value {
    Value::from_numeric_string(&number.to_string()).unwrap_or(Value::Null)
}
