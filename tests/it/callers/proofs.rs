//! Every kind of proof against everything that a caller may come with.

use expect_test::{Expect, expect};
use tokio::io::AsyncReadExt as _;

use super::*;

/// A certificate and the values of `Authorization`.
type Has<'a> = (&'static str, Option<&'static str>, Vec<&'a str>);

#[test]
fn by_default_the_certificate_proves_and_authorization_is_the_applications_own() {
    check(
        "x509",
        expect![[r#"
        nothing                          no handshake
        certificate                      is web
        token                            no handshake
        token, small scheme              no handshake
        certificate and token            is web, Authorization forwarded
        certificate and another's token  is web, Authorization forwarded
        token for another audience       no handshake
        certificate and that token       is web, Authorization forwarded
        token without scheme             no handshake
        another scheme                   no handshake
        certificate and another scheme   is web, Authorization forwarded
        empty token                      no handshake
        no token at all                  no handshake
        the token twice                  no handshake
        certificate and the token twice  400 request.duplicate_header
    "#]],
    );
}

#[test]
fn where_a_token_is_required_no_certificate_stands_in_for_it() {
    check(
        "jwt",
        expect![[r#"
        nothing                          jwt.missing
        certificate                      jwt.missing
        token                            is web
        token, small scheme              is web
        certificate and token            is web
        certificate and another's token  is batch
        token for another audience       jwt.audience
        certificate and that token       jwt.audience
        token without scheme             jwt.not_bearer
        another scheme                   jwt.not_bearer
        certificate and another scheme   jwt.not_bearer
        empty token                      jwt.empty
        no token at all                  jwt.base64
        the token twice                  400 request.duplicate_header
        certificate and the token twice  400 request.duplicate_header
    "#]],
    );
}

#[test]
fn where_both_are_required_they_name_one_workload() {
    check(
        "both",
        expect![[r#"
        nothing                          no handshake
        certificate                      jwt.missing
        token                            no handshake
        token, small scheme              no handshake
        certificate and token            is web
        certificate and another's token  jwt.other_workload
        token for another audience       no handshake
        certificate and that token       jwt.audience
        token without scheme             no handshake
        another scheme                   no handshake
        certificate and another scheme   jwt.not_bearer
        empty token                      no handshake
        no token at all                  no handshake
        the token twice                  no handshake
        certificate and the token twice  400 request.duplicate_header
    "#]],
    );
}

#[test]
fn where_either_will_do_the_certificate_comes_first() {
    check(
        "either",
        expect![[r#"
        nothing                          jwt.missing
        certificate                      is web
        token                            is web
        token, small scheme              is web
        certificate and token            is web, Authorization forwarded
        certificate and another's token  is web, Authorization forwarded
        token for another audience       jwt.audience
        certificate and that token       is web, Authorization forwarded
        token without scheme             jwt.not_bearer
        another scheme                   jwt.not_bearer
        certificate and another scheme   is web, Authorization forwarded
        empty token                      jwt.empty
        no token at all                  jwt.base64
        the token twice                  400 request.duplicate_header
        certificate and the token twice  400 request.duplicate_header
    "#]],
    );
}

/// One row for each thing to have: what comes of it, the same on HTTP/1.1 and HTTP/2.
#[track_caller]
fn check(callers: &str, expected: Expect) {
    let table = run(async {
        let scene = scene(callers, ALLOW_ALL).await;
        let web = bearer(&scene, WEB);
        let lower = web.replacen("Bearer", "bearer", 1);
        let batch = bearer(&scene, BATCH);
        let for_others = bearer_for(&scene, WEB, "payments", HOUR);
        let all: Vec<Has<'_>> = vec![
            ("nothing", None, vec![]),
            ("certificate", Some(WEB), vec![]),
            ("token", None, vec![&web]),
            ("token, small scheme", None, vec![&lower]),
            ("certificate and token", Some(WEB), vec![&web]),
            ("certificate and another's token", Some(WEB), vec![&batch]),
            ("token for another audience", None, vec![&for_others]),
            ("certificate and that token", Some(WEB), vec![&for_others]),
            ("token without scheme", None, vec![&web["Bearer ".len()..]]),
            ("another scheme", None, vec!["Basic YTpi"]),
            ("certificate and another scheme", Some(WEB), vec!["Basic YTpi"]),
            ("empty token", None, vec!["Bearer"]),
            ("no token at all", None, vec!["Bearer a.b.c"]),
            ("the token twice", None, vec![&web, &web]),
            ("certificate and the token twice", Some(WEB), vec![&web, &web]),
        ];
        let mut asked = Vec::new();
        for (label, certificate, authorizations) in &all {
            for alpn in ["h1", "h2"] {
                asked.push((
                    *label,
                    come(&scene, callers, *certificate, alpn, authorizations).await,
                ));
            }
        }
        let (log, _, seen) = scene.finish_with().await;
        let rows: Vec<_> = asked
            .iter()
            .map(|(label, answer)| {
                format!("{label:<32} {}\n", outcome(answer.as_ref(), &log, &seen))
            })
            .collect();
        for pair in rows.chunks(2) {
            assert_eq!(pair[0], pair[1], "HTTP/1.1 and HTTP/2 differ");
        }
        rows.into_iter().step_by(2).collect::<String>()
    });
    expected.assert_eq(&table);
}

/// The answer, or nothing where the handshake is refused.
async fn come(
    scene: &Scene,
    callers: &str,
    certificate: Option<&str>,
    alpn: &str,
    authorizations: &[&str],
) -> Option<Answer> {
    if certificate.is_none() && matches!(callers, "x509" | "both") {
        let wanted = if alpn == "h2" { Alpn::Http2 } else { Alpn::Http1 };
        let stream = handshake_without_svid(scene.address(), &scene.workload_api, wanted).await;
        assert!(stream.unwrap().read_u8().await.is_err());
        return None;
    }
    let mut client = connect(scene, certificate, alpn).await;
    Some(ask(&mut client, authorizations).await)
}

fn outcome(answer: Option<&Answer>, log: &[Value], seen: &[Seen]) -> String {
    let Some(answer) = answer else { return "no handshake".to_owned() };
    match answer.status.as_u16() {
        200 => {
            let id = answer.decision_id();
            let arrived = seen.iter().find(|seen| seen.decision_id() == id).unwrap();
            let caller = arrived.header("x-spiffe-id")[0].rsplit('/').next().unwrap().to_owned();
            let record = decisions(log).into_iter().find(|record| text(record, "/id") == id);
            assert_eq!(
                text(record.unwrap(), "/source/spiffe_id"),
                arrived.header("x-spiffe-id")[0]
            );
            match arrived.header("authorization").len() {
                0 => format!("is {caller}"),
                _ => format!("is {caller}, Authorization forwarded"),
            }
        }
        401 => {
            check_refused(answer);
            reason_of(log, answer)
        }
        status => format!("{status} {}", reason_of(log, answer)),
    }
}
