//! Which route a request belongs to: what policy and record call it, and where it goes.

use crate::support::*;

/// Allows what its route is called after, and nothing else.
const BY_ROUTE: Policies = Policies::Files(&[(
    "a.cedar",
    "permit(principal, action in Action::\"http\", resource)
     unless { resource == Route::\"admin\" || resource == Route::\"default\" };",
)]);

const ROUTES: &str = "
      - {name: other, hosts: [other.test, '*.other.test'], upstream: other}
      - {name: write, path: '/orders/{rest...}', methods: [POST, PUT]}
      - {name: order, path: '/orders/{id}'}
      - {name: files, path: '/files/{rest...}', methods: [GET]}
      - {name: admin, path: '/admin/{rest...}'}";

#[test]
fn host_template_and_method_choose_the_route_that_decides_and_is_recorded() {
    run(async {
        let stage = Setup {
            policies: BY_ROUTE,
            routes: ROUTES.to_owned(),
            upstreams: "\n  - name: other\n    address: unix:OTHER".to_owned(),
            ..Setup::default()
        };
        let mut stage = stage.stage();
        let socket = stage.dir.path().join("other.sock");
        let other = Upstream::start(&socket, "h1", answer_with("other"), None);
        stage.config = stage.config.replace("OTHER", &socket.display().to_string());
        let scene = stage.start().await;
        scene.until_ready().await;

        let cases = [
            ("GET", "a.test", "/orders/1", "order", 200),
            ("POST", "a.test", "/orders/1", "write", 200),
            ("POST", "a.test", "/orders/1/lines", "write", 200),
            ("GET", "a.test", "/orders/1/lines", "default", 403),
            ("GET", "a.test", "/orders/1/", "default", 403),
            ("GET", "a.test", "/Orders/1", "default", 403),
            ("GET", "a.test", "/files/a/b/c", "files", 200),
            ("POST", "a.test", "/files/a/b/c", "default", 403),
            ("GET", "a.test", "/admin/x", "admin", 403),
            ("GET", "a.test", "/%61dmin/x", "admin", 403),
            ("GET", "a.test", "/adminx", "default", 403),
            ("GET", "other.test", "/admin/x", "other", 200),
            ("GET", "OTHER.test:443", "/admin/x", "other", 200),
            ("GET", "deep.er.other.test", "/admin/x", "other", 200),
            ("GET", "another.test", "/admin/x", "admin", 403),
            ("GET", "other.test:8443", "/admin/x", "admin", 403),
            ("GET", "other.test.evil.test", "/admin/x", "admin", 403),
        ];
        for alpn in ["h1", "h2"] {
            let mut web = scene.client(WEB, alpn).await;
            for (method, host, target, route, status) in cases {
                let asked = request(method, target, &[("host", host)], empty());
                let answer = web.ask(asked).await;
                let what = format!("{alpn} {method} {host} {target}");
                assert_eq!(answer.status.as_u16(), status, "{what}");
                let records = scene.records();
                let id = answer.decision_id();
                let record = decisions(&records).into_iter().find(|r| text(r, "/id") == id);
                assert_eq!(text(record.unwrap(), "/request/route"), route, "{what}");
                if status == 200 {
                    let expected = if route == "other" { "other" } else { "seen" };
                    assert_eq!(answer.text(), expected, "{what}");
                }
            }
        }
        assert_eq!(other.seen().len(), 6);
        scene.finish().await;
    });
}
