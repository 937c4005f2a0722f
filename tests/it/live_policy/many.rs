//! Many exchanges in flight at once.

use super::*;

const CONNECTIONS: usize = 10;
const STREAMS: usize = 50;

#[test]
fn each_of_five_hundred_streams_is_decided_once() {
    run(async {
        let streams = Streams::default();
        let respond = streams.respond();
        let scene = Setup { policies: ALLOW_ALL, respond, ..Setup::default() }.start().await;
        let (mut clients, mut bodies) = (Vec::new(), Vec::new());
        for connection in 0..CONNECTIONS {
            let mut web = scene.client(WEB, "h2").await;
            for stream in 0..STREAMS {
                let fate = if stream % 2 == 0 { "keep" } else { "drop" };
                let path = format!("/{fate}/{connection}/{stream}");
                let response = web.send(request("GET", &path, &[], empty())).await.unwrap();
                assert_eq!(response.status().as_u16(), 200);
                bodies.push((path, response.into_body()));
            }
            clients.push(web);
        }
        change(&scene, "a.cedar", KEEP).await;
        decided_again(&scene, CONNECTIONS * STREAMS).await;
        let mut outcomes = Vec::new();
        for (path, mut body) in bodies {
            if path.starts_with("/drop") {
                assert!(next(&mut body).await.unwrap().is_err(), "{path}");
                outcomes.push((path, "deny"));
            } else {
                streams.send(&path, "on").await;
                assert_eq!(next_text(&mut body).await, "on");
                drop(streams.take(&path));
                assert!(is_at_its_end(body).await, "{path}");
                outcomes.push((path, "allow"));
            }
        }
        drop(clients);
        let log = scene.finish().await;
        let outcomes: Vec<_> = outcomes.iter().map(|(path, outcome)| (&**path, *outcome)).collect();
        check_again(&log, &outcomes);
        for (path, outcome) in outcomes {
            let flags = if outcome == "deny" { "[\"policy.revoked\"]" } else { "[]" };
            assert_eq!(end_of(&log, path), ("200".to_owned(), flags.to_owned()));
        }
    });
}
