//! Names of a certificate beside its subject: `subjectAltName`, and those that name constraints hold.

use std::net::IpAddr;

use regorus::Value;
use x509_parser::prelude::GeneralName;

use super::super::BuiltinError;
use super::arguments::{invalid, slice};
use super::uri::Uri;

/// Go's `DNSNames`, `EmailAddresses`, `IPAddresses` and `URIs`.
#[derive(Debug, Default)]
pub(super) struct Names {
    dns: Vec<Value>,
    email: Vec<Value>,
    ip: Vec<Value>,
    uris: Vec<Value>,
    uri_texts: Vec<Value>,
}

impl Names {
    pub(super) fn of(names: &[GeneralName<'_>]) -> Result<Self, BuiltinError> {
        let mut read = Self::default();
        for name in names {
            match name {
                GeneralName::DNSName(name) => read.dns.push(Value::from(*name)),
                GeneralName::RFC822Name(name) => read.email.push(Value::from(*name)),
                GeneralName::IPAddress(bytes) => {
                    let ip = address(bytes)
                        .ok_or_else(|| invalid("x509: cannot parse IP address of a certificate"))?;
                    read.ip.push(ip);
                }
                GeneralName::URI(text) => {
                    let uri = Uri::parse(text)?;
                    read.uris.push(uri.to_go());
                    read.uri_texts.push(Value::from(uri.text()));
                }
                GeneralName::Invalid(..) => {
                    return Err(invalid("x509: a name of a certificate is malformed"));
                }
                GeneralName::OtherName(..)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::RegisteredID(_) => {}
            }
        }
        Ok(read)
    }

    /// Whether Go knows none of them.
    pub(super) fn is_empty(&self) -> bool {
        [&self.dns, &self.email, &self.ip, &self.uris].into_iter().all(Vec::is_empty)
    }

    /// And the texts of the URIs, which only OPA's certificates have.
    pub(super) fn into_members(self) -> ([(&'static str, Value); 4], Value) {
        let members = [
            ("DNSNames", slice(self.dns)),
            ("EmailAddresses", slice(self.email)),
            ("IPAddresses", slice(self.ip)),
            ("URIs", slice(self.uris)),
        ];
        (members, slice(self.uri_texts))
    }
}

/// Go writes an IPv4 address in IPv6 form as IPv4.
pub(super) fn address(bytes: &[u8]) -> Option<Value> {
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some(Value::from(address.to_string()))
}
