//! Exchanges whose response has not begun when the policy changes.

use tokio::sync::{Semaphore, mpsc};

use super::*;

/// Asks for `/drop` and `/keep`, changes the policy while the upstream has not answered.
async fn check_unanswered(alpn: &str, upstream: &'static str, policy: &str, status: u16) {
    let (arrived, mut arrivals) = mpsc::channel(2);
    let answers = Arc::new(Semaphore::new(0));
    let released = Arc::clone(&answers);
    let respond = respond(move |it| {
        let (arrived, released) = (arrived.clone(), Arc::clone(&released));
        async move {
            arrived.send(()).await.unwrap();
            released.acquire().await.unwrap().forget();
            it.collect().await;
            Response::new(whole("late"))
        }
    });
    let setup =
        Setup { policies: ALLOW_ALL, respond, upstream_protocol: upstream, ..Setup::default() };
    let scene = setup.start().await;
    let mut asking = Vec::new();
    for path in ["/drop", "/keep"] {
        let mut web = scene.client(WEB, alpn).await;
        asking.push(tokio::spawn(async move { web.get(path).await }));
        arrivals.recv().await.unwrap();
    }
    change(&scene, "a.cedar", policy).await;
    decided_again(&scene, 2).await;
    let [dropped, kept] = <[_; 2]>::try_from(asking).unwrap();
    let dropped = timeout(PATIENCE, dropped).await.unwrap().unwrap();
    assert_eq!(dropped.status.as_u16(), status);
    answers.add_permits(2);
    let kept = timeout(PATIENCE, kept).await.unwrap().unwrap();
    assert_eq!((kept.status.as_u16(), kept.text()), (200, "late"));
    let log = scene.finish().await;
    let outcome = if status == 403 { "deny" } else { "error" };
    let flag = if status == 403 { "policy.revoked" } else { "policy.error" };
    check_again(&log, &[("/drop", outcome), ("/keep", "allow")]);
    assert_eq!(dropped.decision_id(), text(first_of(&log, "/drop"), "/id"));
    assert_eq!(end_of(&log, "/drop"), (status.to_string(), format!("[\"{flag}\"]")));
    assert_eq!(end_of(&log, "/keep"), ("200".to_owned(), "[]".to_owned()));
}

#[test]
fn a_request_that_waits_for_its_upstream_is_answered_403_and_a_failure_503() {
    run(async {
        check_unanswered("h1", "h1", KEEP, 403).await;
        check_unanswered("h2", "h2c", KEEP, 403).await;
        check_unanswered("h2", "h1", KEEP_OR_RAISE, 503).await;
    });
}

/// Says of each upload which bytes came, and how it ended.
fn take_uploads(progress: mpsc::UnboundedSender<String>) -> Respond {
    respond(move |arrived| {
        let progress = progress.clone();
        async move {
            let path = arrived.request.uri().path().to_owned();
            let mut body = arrived.request.into_body();
            loop {
                let said = match body.frame().await {
                    Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => continue,
                    Some(Ok(frame)) => format!("{path} {}", frame.into_data().unwrap().len()),
                    Some(Err(_)) => format!("{path} broke off"),
                    None => format!("{path} is whole"),
                };
                let is_over = !said.ends_with(char::is_numeric);
                progress.send(said).unwrap();
                if is_over {
                    return Response::new(whole("taken"));
                }
            }
        }
    })
}

async fn check_upload(alpn: &str, upstream_protocol: &'static str) {
    let (progress, mut said) = mpsc::unbounded_channel();
    let respond = take_uploads(progress);
    let setup = Setup { policies: ALLOW_ALL, respond, upstream_protocol, ..Setup::default() };
    let scene = setup.start().await;
    let mut uploads = Vec::new();
    for path in ["/drop", "/keep"] {
        let mut web = scene.client(WEB, alpn).await;
        let (sender, body) = streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"12345")))).await.unwrap();
        let asked = tokio::spawn(async move { web.send(request("POST", path, &[], body)).await });
        let arrived = timeout(PATIENCE, said.recv()).await.unwrap().unwrap();
        assert_eq!(arrived, format!("{path} 5"));
        uploads.push((sender, asked));
    }
    change(&scene, "a.cedar", KEEP).await;
    decided_again(&scene, 2).await;
    assert_eq!(timeout(PATIENCE, said.recv()).await.unwrap().unwrap(), "/drop broke off");
    let [(_more, dropped), (sender, kept)] = <[_; 2]>::try_from(uploads).unwrap();
    let dropped = timeout(PATIENCE, dropped).await.unwrap().unwrap().unwrap();
    assert_eq!(dropped.status().as_u16(), 403);
    sender.send(Ok(Frame::data(Bytes::from_static(b"67")))).await.unwrap();
    drop(sender);
    assert_eq!(said.recv().await.unwrap(), "/keep 2");
    assert_eq!(said.recv().await.unwrap(), "/keep is whole");
    let kept = timeout(PATIENCE, kept).await.unwrap().unwrap().unwrap();
    assert_eq!(Answer::read(kept).await.text(), "taken");
    drop(dropped);
    let log = scene.finish().await;
    check_again(&log, &[("/drop", "deny"), ("/keep", "allow")]);
    assert_eq!(end_of(&log, "/drop"), ("403".to_owned(), "[\"policy.revoked\"]".to_owned()));
    assert_eq!(end_of(&log, "/keep"), ("200".to_owned(), "[]".to_owned()));
}

#[test]
fn an_upload_that_is_denied_stops_and_another_is_taken_whole() {
    run(async {
        for (alpn, upstream) in [("h1", "h1"), ("h2", "h2c"), ("h2", "h1"), ("h1", "h2c")] {
            check_upload(alpn, upstream).await;
        }
    });
}
