//! Distinguished names as Go's `pkix.Name`.

use regorus::Value;
use x509_parser::prelude::X509Name;

use super::arguments::{object, slice};
use super::encoding::base64;
use super::extensions::oid;

/// The members that are lists, and the attribute of each.
const LISTS: [(&str, &str); 7] = [
    ("Country", "2.5.4.6"),
    ("Organization", "2.5.4.10"),
    ("OrganizationalUnit", "2.5.4.11"),
    ("Locality", "2.5.4.7"),
    ("Province", "2.5.4.8"),
    ("StreetAddress", "2.5.4.9"),
    ("PostalCode", "2.5.4.17"),
];

pub(super) fn to_go(name: &X509Name<'_>) -> Value {
    let attributes: Vec<_> = name.iter_attributes().collect();
    let values = |id: &str| {
        let of = attributes.iter().filter(|a| a.attr_type().to_id_string() == id);
        of.filter_map(|a| text(a)).map(Value::from).collect::<Vec<_>>()
    };
    // Of several, Go keeps the last.
    let last = |id: &str| values(id).pop().unwrap_or_else(|| Value::from(""));
    let names = attributes
        .iter()
        .map(|a| object([("Type", oid(a.attr_type())), ("Value", any(a))]))
        .collect();
    let mut go = object([
        ("CommonName", last("2.5.4.3")),
        ("SerialNumber", last("2.5.4.5")),
        ("Names", slice(names)),
        ("ExtraNames", Value::Null),
    ]);
    if let Ok(members) = go.as_object_mut() {
        for (list, id) in LISTS {
            members.insert(Value::from(list), slice(values(id)));
        }
    }
    go
}

type Attribute<'a> = x509_parser::x509::AttributeTypeAndValue<'a>;

fn text(attribute: &Attribute<'_>) -> Option<String> {
    if let Ok(text) = attribute.as_str() {
        return Some(text.to_owned());
    }
    let value = attribute.attr_value();
    // Go reads a BMP string too.
    if value.tag() != x509_parser::asn1_rs::Tag::BmpString {
        return None;
    }
    let units: Vec<u16> = value
        .data
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)))
        .collect();
    String::from_utf16(&units).ok()
}

fn any(attribute: &Attribute<'_>) -> Value {
    match text(attribute) {
        Some(text) => Value::from(text),
        None => Value::from(base64(attribute.attr_value().data)),
    }
}
