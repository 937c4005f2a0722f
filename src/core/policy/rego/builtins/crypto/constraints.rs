//! Name constraints as Go's eight lists.

use regorus::Value;
use x509_parser::extensions::{GeneralSubtree, NameConstraints};
use x509_parser::prelude::GeneralName;

use super::alternative::address;
use super::arguments::{object, slice};
use super::encoding::base64;

const PERMITTED: [&str; 4] =
    ["PermittedDNSDomains", "PermittedEmailAddresses", "PermittedIPRanges", "PermittedURIDomains"];
const EXCLUDED: [&str; 4] =
    ["ExcludedDNSDomains", "ExcludedEmailAddresses", "ExcludedIPRanges", "ExcludedURIDomains"];

pub(super) fn members(constraints: Option<&NameConstraints<'_>>) -> Vec<(&'static str, Value)> {
    let permitted = constraints.and_then(|c| c.permitted_subtrees.as_deref());
    let excluded = constraints.and_then(|c| c.excluded_subtrees.as_deref());
    let mut members = Vec::new();
    for (names, subtrees) in [(PERMITTED, permitted), (EXCLUDED, excluded)] {
        members.extend(names.into_iter().zip(lists(subtrees.unwrap_or_default())));
    }
    members
}

fn lists(subtrees: &[GeneralSubtree<'_>]) -> [Value; 4] {
    let [mut dns, mut email, mut ip, mut uri] = [const { Vec::new() }; 4];
    for subtree in subtrees {
        match &subtree.base {
            GeneralName::DNSName(name) => dns.push(Value::from(*name)),
            GeneralName::RFC822Name(name) => email.push(Value::from(*name)),
            GeneralName::URI(name) => uri.push(Value::from(*name)),
            GeneralName::IPAddress(bytes) => ip.extend(range(bytes)),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => {}
        }
    }
    [slice(dns), slice(email), slice(ip), slice(uri)]
}

fn range(bytes: &[u8]) -> Option<Value> {
    let (ip, mask) = bytes.split_at_checked(bytes.len() / 2)?;
    Some(object([("IP", address(ip)?), ("Mask", Value::from(base64(mask)))]))
}
