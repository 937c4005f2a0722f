//! What the common builtins take and give: enough to see an argument that cannot be right.

use super::Kind::{self, Array, Boolean, Number, Object, Set, String};

/// The kinds that each parameter takes, none for any, and the kind of the result.
pub(super) struct Signature {
    pub(super) parameters: &'static [&'static [Kind]],
    pub(super) result: Option<Kind>,
}

const S: &[Kind] = &[String];
const N: &[Kind] = &[Number];
const A: &[Kind] = &[Array];
const O: &[Kind] = &[Object];
const ITEMS: &[Kind] = &[Array, Set];
const COLLECTION: &[Kind] = &[String, Array, Object, Set];
const STRINGS: &[Kind] = &[String, Array, Set];
const ANY: &[Kind] = &[];

const fn takes(parameters: &'static [&'static [Kind]], result: Kind) -> Option<Signature> {
    Some(Signature { parameters, result: Some(result) })
}

pub(super) fn signature(name: &str) -> Option<Signature> {
    match name {
        "startswith"
        | "endswith"
        | "contains"
        | "regex.match"
        | "net.cidr_contains"
        | "net.cidr_intersects" => takes(&[S, S], Boolean),
        "indexof" | "strings.count" => takes(&[S, S], Number),
        "lower" | "upper" | "trim_space" | "strings.reverse" | "base64.encode"
        | "base64.decode" | "base64url.encode" | "base64url.decode" | "hex.encode"
        | "hex.decode" | "urlquery.encode" | "urlquery.decode" | "crypto.md5" | "crypto.sha1"
        | "crypto.sha256" => takes(&[S], String),
        "trim" | "trim_left" | "trim_right" | "trim_prefix" | "trim_suffix" => {
            takes(&[S, S], String)
        }
        "split" | "regex.split" => takes(&[S, S], Array),
        "replace" | "regex.replace" => takes(&[S, S, S], String),
        "sprintf" => takes(&[S, A], String),
        "concat" => takes(&[S, ITEMS], String),
        "substring" => takes(&[S, N, N], String),
        "glob.match" => takes(&[S, ANY, S], Boolean),
        "strings.any_prefix_match" | "strings.any_suffix_match" => {
            takes(&[STRINGS, STRINGS], Boolean)
        }
        "count" => takes(&[COLLECTION], Number),
        "sum" | "product" => takes(&[ITEMS], Number),
        "sort" => takes(&[ITEMS], Array),
        "abs" | "ceil" | "floor" | "round" => takes(&[N], Number),
        "array.concat" => takes(&[A, A], Array),
        "array.slice" => takes(&[A, N, N], Array),
        "array.reverse" => takes(&[A], Array),
        "object.keys" => takes(&[O], Set),
        "object.get" => Some(Signature { parameters: &[O, ANY, ANY], result: None }),
        "json.unmarshal" => Some(Signature { parameters: &[S], result: None }),
        "io.jwt.decode" => takes(&[S], Array),
        "time.parse_rfc3339_ns" => takes(&[S], Number),
        _ => None,
    }
}
