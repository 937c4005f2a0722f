//! Listeners with their routes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request};
use portreeve_core::request::{Enforcement, Head, Relaxed, Scheme};

use super::check::Check;
use super::place::At;
use super::quote::quoted;
use super::raw;
use super::scalars::Name;
use super::shape::nearest;
use crate::{forward, http, listen};

/// The route that exists without being written.
const DEFAULT_ROUTE: &str = "default";
/// The handshake and the head of a slow caller hold a slot this long at most.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Clocks that are further apart are broken, and every token would hold that much longer.
const MAX_JWT_LEEWAY: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn listeners(check: &mut Check<'_>, file: &raw::File) -> Vec<listen::Settings> {
    let at = At::root().key("listeners");
    refuse_duplicates(check, &at, file.listeners.iter().map(|listener| &listener.name));
    let mut taken: BTreeSet<SocketAddr> = BTreeSet::new();
    let read = file.listeners.iter().enumerate().map(|(index, raw)| {
        let at = at.index(index);
        let default_upstream = default_upstream(check, &at, raw, &file.upstreams);
        let routes = routes(check, &at, raw, &file.upstreams, default_upstream);
        let limits = limits(check, &at.key("limits"), &raw.limits);
        let callers = callers(check, &at, raw, &file.service);
        let address = check.address(&at.key("address"), &raw.address)?;
        if address.port() != 0 && !taken.insert(address) {
            check.refuse(&at.key("address"), format!("`{address}` is another listener's address"));
        }
        let raw::Protocol::Http = raw.protocol;
        Some(listen::Settings {
            name: raw.name.as_str().into(),
            address,
            mode: match raw.mode {
                raw::Mode::Enforce => Enforcement::Enforce,
                raw::Mode::Shadow => Enforcement::Shadow,
            },
            routes,
            limits,
            callers,
            tls12: raw.tls.min_version == raw::TlsVersion::V12,
        })
    });
    read.flatten().collect()
}

fn callers(
    check: &mut Check<'_>,
    at: &At,
    raw: &raw::Listener,
    service: &Name,
) -> http::CallerSettings {
    let proof = match raw.callers {
        raw::Callers::X509 => http::Proof::X509,
        raw::Callers::Jwt => http::Proof::Jwt,
        raw::Callers::Both => http::Proof::Both,
        raw::Callers::Either => http::Proof::Either,
    };
    let audience = at.key("audience");
    match (proof.takes_tokens(), &raw.audience[..]) {
        (true, []) => {
            let hint = format!(
                "name what tokens for us are issued for: our SPIFFE ID, or `{}`",
                service.as_str()
            );
            check.refuse_with(&audience, "missing: any service's JWT-SVID would do", &hint);
        }
        (false, [_, ..]) => {
            let hint = "set `callers` to `jwt`, `both` or `either`, or leave it out";
            check.refuse_with(&audience, "no JWT-SVIDs are taken here", hint);
        }
        (true, [_, ..]) | (false, []) => {}
    }
    for (index, name) in raw.audience.iter().enumerate() {
        if raw.audience.iter().take(index).any(|earlier| earlier == name) {
            check.refuse(&audience.index(index), format!("{} stands twice", quoted(name)));
        }
    }
    let leeway = Duration::ZERO..=MAX_JWT_LEEWAY;
    http::CallerSettings {
        proof,
        audience: raw.audience.clone(),
        leeway: check.duration(&at.key("jwt_leeway"), &raw.jwt_leeway, leeway),
    }
}

/// Where there is one upstream only, it need not be named.
fn default_upstream(
    check: &mut Check<'_>,
    at: &At,
    listener: &raw::Listener,
    upstreams: &[raw::Upstream],
) -> Arc<str> {
    match (&listener.upstream, upstreams) {
        (Some(name), _) => known_upstream(check, &at.key("upstream"), name, upstreams),
        (None, [only]) => only.name.as_str().into(),
        (None, _) => {
            let hint = "there are several upstreams; name that of the route `default`";
            check.refuse_with(&at.key("upstream"), "missing", hint);
            "".into()
        }
    }
}

fn known_upstream(
    check: &mut Check<'_>,
    at: &At,
    name: &Name,
    upstreams: &[raw::Upstream],
) -> Arc<str> {
    let mut names = upstreams.iter().map(|upstream| upstream.name.as_str());
    if !names.clone().any(|known| known == name.as_str()) {
        let message = format!("there is no upstream {}", quoted(name.as_str()));
        match nearest(name.as_str(), &mut names) {
            Some(near) => check.refuse_with(at, message, &format!("did you mean `{near}`?")),
            None => check.refuse(at, message),
        }
    }
    name.as_str().into()
}

fn routes(
    check: &mut Check<'_>,
    at: &At,
    listener: &raw::Listener,
    upstreams: &[raw::Upstream],
    default_upstream: Arc<str>,
) -> Vec<forward::RouteSettings> {
    let at = at.key("routes");
    refuse_duplicates(check, &at, listener.routes.iter().map(|route| &route.name));
    let mut routes = Vec::with_capacity(listener.routes.len() + 1);
    for (index, raw) in listener.routes.iter().enumerate() {
        let at = at.index(index);
        if raw.name.as_str() == DEFAULT_ROUTE {
            let hint = "it exists by itself and matches what no other route does";
            check.refuse_with(&at.key("name"), "the name `default` is reserved", hint);
        }
        for (index, host) in raw.hosts.iter().enumerate() {
            check_host(check, &at.key("hosts").index(index), host);
        }
        if let Some(path) = &raw.path
            && let Err(error) = forward::PathTemplate::parse(path)
        {
            check.refuse(&at.key("path"), error.to_string());
        }
        let methods = raw.methods.iter().enumerate().filter_map(|(index, method)| {
            read_method(check, &at.key("methods").index(index), method)
        });
        routes.push(forward::RouteSettings {
            name: raw.name.as_str().into(),
            hosts: raw.hosts.clone(),
            path: raw.path.clone(),
            methods: methods.collect(),
            upstream: match &raw.upstream {
                Some(name) => known_upstream(check, &at.key("upstream"), name, upstreams),
                None => Arc::clone(&default_upstream),
            },
            relaxed: relaxed(raw.relax),
        });
    }
    routes.push(forward::RouteSettings::default_route(default_upstream));
    routes
}

fn relaxed(raw: raw::Relax) -> Relaxed {
    let is_kept = |setting| setting == raw::Refused::Keep;
    Relaxed {
        encoded_slashes: is_kept(raw.encoded_slashes),
        empty_segments: is_kept(raw.empty_segments),
        underscore_headers: is_kept(raw.underscore_headers),
        forwarded_headers: raw.forwarded_headers == raw::Removed::Keep,
    }
}

/// Requests are matched by their canonical host, so another form would never match.
fn check_host(check: &mut Check<'_>, at: &At, host: &str) {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let request = Request::builder().uri("/").header("host", name).body(());
    let head = request.ok().and_then(|r| Head::canonical(r.into_parts().0, Scheme::Https).ok());
    match head {
        Some(head) if *head.host == *name => {}
        Some(head) => {
            let message = format!("{} is not a canonical host", quoted(host));
            let prefix = if name == host { "" } else { "*." };
            check.refuse_with(at, message, &format!("write `{prefix}{}`", head.host));
        }
        None => {
            let hint = "write `shop.example.org` or `*.example.org`";
            check.refuse_with(at, format!("{} is not a host", quoted(host)), hint);
        }
    }
}

fn read_method(check: &mut Check<'_>, at: &At, text: &str) -> Option<Method> {
    let method = Method::from_bytes(text.as_bytes()).ok();
    let text_shown = quoted(text);
    match &method {
        None => check.refuse(at, format!("{text_shown} is not an HTTP method")),
        Some(method) if *method == Method::CONNECT || *method == Method::TRACE => {
            check.refuse(at, format!("{text_shown} is always refused, so no route can match it"));
        }
        Some(_) if text.bytes().any(|b| b.is_ascii_lowercase()) => {
            let hint = format!("methods are case-sensitive; write `{}`", text.to_ascii_uppercase());
            check.refuse_with(at, format!("{text_shown} is in lower case"), &hint);
        }
        Some(_) => {}
    }
    method
}

fn limits(check: &mut Check<'_>, at: &At, raw: &raw::ListenerLimits) -> listen::Limits {
    let waits = Duration::from_millis(100)..=MAX_WAIT;
    let header_bytes = check.size(&at.key("header_bytes"), &raw.header_bytes, 1 << 10..=1 << 20);
    listen::Limits {
        connections: raw.connections as usize,
        handshakes: raw.handshakes as usize,
        handshake_timeout: check.duration(
            &at.key("handshake_timeout"),
            &raw.handshake_timeout,
            waits.clone(),
        ),
        header_timeout: check.duration(&at.key("header_timeout"), &raw.header_timeout, waits),
        idle_timeout: check.duration(
            &at.key("idle_timeout"),
            &raw.idle_timeout,
            Duration::from_secs(1)..=DAY,
        ),
        max_connection_age: raw.max_connection_age.as_ref().map(|age| {
            check.duration(&at.key("max_connection_age"), age, Duration::from_secs(1)..=DAY)
        }),
        header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
        streams: raw.streams,
    }
}

pub(super) fn refuse_duplicates<'a>(
    check: &mut Check<'_>,
    at: &At,
    names: impl Iterator<Item = &'a Name>,
) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name.as_str()) {
            let message = format!("the name {} stands twice", quoted(name.as_str()));
            check.refuse(&at.index(index).key("name"), message);
        }
    }
}
