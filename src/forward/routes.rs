//! Which route a head belongs to: the name that policy and record use, and the upstream behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_core::request::{Head, Relaxed};

use super::template::TemplateError;
use super::{OwnIdentity, PathTemplate, RouteSettings, Upstream, UpstreamSettings};

/// The routes of one listener, in the order of the file; the first that matches is taken.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
}

/// One route, ready to match.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// Counts from 0 in the order of the file: the index of this route's metrics.
    pub index: usize,
    pub upstream: Arc<Upstream>,
    pub relaxed: Relaxed,
    hosts: Vec<HostPattern>,
    path: Option<PathTemplate>,
    methods: Vec<http::Method>,
}

#[derive(Debug)]
enum HostPattern {
    Exact(Box<str>),
    /// `*.example.org`: one or more labels before the suffix, which begins with a dot.
    Suffix(Box<str>),
}

/// Why routes cannot be built. The configuration is checked before, so these are seen in tests only.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    #[error("route `{route}` names the unknown upstream `{upstream}`")]
    UnknownUpstream { route: Arc<str>, upstream: Arc<str> },
    #[error("route `{route}` has a bad path template")]
    Template { route: Arc<str>, source: TemplateError },
}

/// All upstreams by name; kept over a reload where their settings are unchanged, pools and all.
pub type Upstreams = BTreeMap<Arc<str>, Arc<Upstream>>;

/// Builds the upstreams of a configuration, taking over those that stay as they are.
///
/// # Errors
/// The cryptography does not offer what mTLS to an upstream asks for.
pub fn upstreams(
    settings: &[UpstreamSettings],
    previous: &Upstreams,
    own: &OwnIdentity,
) -> Result<Upstreams, rustls::Error> {
    let build = |settings: &UpstreamSettings| {
        let kept = previous.get(&settings.name).filter(|old| old.settings() == settings);
        let upstream = match kept {
            Some(upstream) => Arc::clone(upstream),
            None => Upstream::new(settings.clone(), own.clone())?,
        };
        Ok((Arc::clone(&settings.name), upstream))
    };
    settings.iter().map(build).collect()
}

impl Routes {
    /// Builds the routes of one listener.
    ///
    /// # Errors
    /// A route names an upstream that is not there, or its template is bad.
    pub fn new(settings: &[RouteSettings], upstreams: &Upstreams) -> Result<Self, RoutesError> {
        let route = |(index, settings): (usize, &RouteSettings)| {
            let name = Arc::clone(&settings.name);
            let upstream = upstreams.get(&settings.upstream).cloned().ok_or_else(|| {
                RoutesError::UnknownUpstream {
                    route: Arc::clone(&name),
                    upstream: Arc::clone(&settings.upstream),
                }
            })?;
            let path = settings.path.as_deref().map(PathTemplate::parse).transpose();
            let path =
                path.map_err(|source| RoutesError::Template { route: Arc::clone(&name), source })?;
            let hosts = settings.hosts.iter().map(|host| HostPattern::new(host)).collect();
            let (methods, relaxed) = (settings.methods.clone(), settings.relaxed);
            Ok(Route { name, index, upstream, relaxed, hosts, path, methods })
        };
        let routes = settings.iter().enumerate().map(route).collect::<Result<_, _>>()?;
        Ok(Self { routes })
    }

    /// The first route that matches.
    #[must_use]
    pub fn find(&self, head: &Head) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches(head))
    }
}

impl Route {
    fn matches(&self, head: &Head) -> bool {
        (self.methods.is_empty() || self.methods.contains(&head.method))
            && self.path.as_ref().is_none_or(|path| path.matches(head.path()))
            && (self.hosts.is_empty() || self.hosts.iter().any(|host| host.matches(&head.host)))
    }
}

impl HostPattern {
    fn new(text: &str) -> Self {
        match text.strip_prefix('*') {
            Some(suffix) => Self::Suffix(suffix.into()),
            None => Self::Exact(text.into()),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::{UpstreamAddress, UpstreamProtocol};
    use portreeve_core::request::Scheme;

    fn upstream(name: &str) -> UpstreamSettings {
        UpstreamSettings {
            name: name.into(),
            address: UpstreamAddress::Unix("/nowhere".into()),
            protocol: UpstreamProtocol::H1,
            mtls: None,
            connect_timeout: std::time::Duration::from_secs(1),
        }
    }

    fn built(settings: &[UpstreamSettings], previous: &Upstreams) -> Upstreams {
        let credentials = Arc::default();
        let own = OwnIdentity { clock: crate::clock::Clock::system(), credentials };
        upstreams(settings, previous, &own).unwrap()
    }

    fn route(name: &str, hosts: &[&str], path: Option<&str>, methods: &[&str]) -> RouteSettings {
        RouteSettings {
            name: name.into(),
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            path: path.map(str::to_owned),
            methods: methods.iter().map(|method| method.parse().unwrap()).collect(),
            upstream: "app".into(),
            relaxed: Relaxed::default(),
        }
    }

    #[track_caller]
    fn check(method: &str, uri: &str, expected: Option<&str>) {
        let routes = [
            route("write", &[], Some("/orders/{rest...}"), &["POST", "PUT"]),
            route("orders", &["*.shop.test"], Some("/orders/{id}"), &[]),
            route("admin", &["admin.test"], None, &["GET"]),
        ];
        let upstreams = built(&[upstream("app")], &Upstreams::new());
        let routes = Routes::new(&routes, &upstreams).unwrap();
        let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
        let head = Head::canonical(request.into_parts().0, Scheme::Https).unwrap();
        assert_eq!(routes.find(&head).map(|route| &*route.name), expected, "{method} {uri}");
    }

    #[test]
    fn the_first_route_that_matches_is_taken() {
        check("POST", "https://a.shop.test/orders/1", Some("write"));
        check("GET", "https://a.shop.test/orders/1", Some("orders"));
        check("GET", "https://admin.test/anything", Some("admin"));
    }

    #[test]
    fn what_no_route_matches_has_no_route() {
        check("GET", "https://shop.test/orders/1", None);
        check("GET", "https://evilshop.test/orders/1", None);
        check("POST", "https://admin.test/", None);
    }

    #[test]
    fn an_upstream_that_did_not_change_is_kept_over_a_reload() {
        let first = built(&[upstream("app"), upstream("b")], &Upstreams::new());
        let mut changed = upstream("b");
        changed.protocol = UpstreamProtocol::H2;
        let second = built(&[upstream("app"), changed], &first);
        assert!(Arc::ptr_eq(&first["app"], &second["app"]));
        assert!(!Arc::ptr_eq(&first["b"], &second["b"]));
    }
}
