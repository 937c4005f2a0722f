//! The upstreams that routes refer to, and whom mTLS to them accepts.

use std::time::Duration;

use portreeve_core::spiffe::{SpiffeId, TrustDomain};

use super::check::Check;
use super::listeners::refuse_duplicates;
use super::place::At;
use super::quote::quoted;
use super::raw;
use crate::forward;
use crate::tls::ExpectedPeer;

pub(super) fn upstreams(
    check: &mut Check<'_>,
    raw: &[raw::Upstream],
) -> Vec<forward::UpstreamSettings> {
    let at = At::root().key("upstreams");
    refuse_duplicates(check, &at, raw.iter().map(|upstream| &upstream.name));
    let read = raw.iter().enumerate().map(|(index, upstream)| {
        let at = at.index(index);
        let timeouts = Duration::from_millis(10)..=Duration::from_secs(60);
        Some(forward::UpstreamSettings {
            connect_timeout: check.duration(
                &at.key("connect_timeout"),
                &upstream.connect_timeout,
                timeouts,
            ),
            name: upstream.name.as_str().into(),
            address: upstream_address(check, &at.key("address"), upstream)?,
            protocol: upstream_protocol(check, &at.key("protocol"), upstream),
            mtls: upstream.tls.as_ref().and_then(|raw| expected(check, &at.key("tls"), raw)),
        })
    });
    read.flatten().collect()
}

fn upstream_address(
    check: &mut Check<'_>,
    at: &At,
    upstream: &raw::Upstream,
) -> Option<forward::UpstreamAddress> {
    if upstream.address.as_str().starts_with("unix:") {
        return Some(forward::UpstreamAddress::Unix(check.socket(at, upstream.address.as_str())));
    }
    let address = check.address(at, &upstream.address)?;
    if upstream.tls.is_none() && !address.ip().to_canonical().is_loopback() {
        let message = format!("`{address}` is not a loopback address");
        let hint = "without `tls` a sidecar forwards to the service beside it only: `unix:/…`, \
                    127.0.0.1 or [::1]";
        check.refuse_with(at, message, hint);
    }
    if address.port() == 0 {
        check.refuse(at, "the port must not be 0");
    }
    Some(forward::UpstreamAddress::Tcp(address))
}

/// What HTTP/2 is called says whether there is TLS.
fn upstream_protocol(
    check: &mut Check<'_>,
    at: &At,
    upstream: &raw::Upstream,
) -> forward::UpstreamProtocol {
    match (upstream.protocol, &upstream.tls) {
        (raw::UpstreamProtocol::H1, _) => return forward::UpstreamProtocol::H1,
        (raw::UpstreamProtocol::H2c, None) | (raw::UpstreamProtocol::H2, Some(_)) => {}
        (raw::UpstreamProtocol::H2c, Some(_)) => {
            check.refuse_with(at, "`h2c` is HTTP/2 without TLS", "write `h2`");
        }
        (raw::UpstreamProtocol::H2, None) => {
            check.refuse_with(at, "`h2` is HTTP/2 with TLS", "write `h2c`, or add `tls`");
        }
    }
    forward::UpstreamProtocol::H2
}

/// Whom mTLS to an upstream accepts at the other end.
fn expected(check: &mut Check<'_>, at: &At, raw: &raw::UpstreamTls) -> Option<ExpectedPeer> {
    match (&raw.spiffe_id, &raw.trust_domain) {
        (Some(text), None) => match SpiffeId::parse(text) {
            Ok(id) if !id.path().is_empty() => Some(ExpectedPeer::Id(id)),
            Ok(_) => {
                let hint = "name the workload, or write `trust_domain` to accept all of one";
                check.refuse_with(&at.key("spiffe_id"), "the ID of a workload has a path", hint);
                None
            }
            Err(error) => {
                let message = format!("{} is no SPIFFE ID: {error}", quoted(text));
                check.refuse(&at.key("spiffe_id"), message);
                None
            }
        },
        (None, Some(text)) => match TrustDomain::parse(text) {
            Ok(name) => Some(ExpectedPeer::TrustDomain(name)),
            Err(error) => {
                let message = format!("{} is no trust domain: {error}", quoted(text));
                check.refuse(&at.key("trust_domain"), message);
                None
            }
        },
        (Some(_), Some(_)) => {
            check.refuse(at, "`spiffe_id` and `trust_domain` exclude each other");
            None
        }
        (None, None) => {
            let hint = "a server is known by its identity alone, never by its name";
            check.refuse_with(at, "`spiffe_id` or `trust_domain` is missing", hint);
            None
        }
    }
}
