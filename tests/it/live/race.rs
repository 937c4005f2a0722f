//! A handshake that began under the old trust and ends after the change.

use std::net::SocketAddr;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::tls::Alpn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::guest::{GUEST, Guest, Partner, setup, until};
use crate::support::*;

/// Passes a client's first flight on and holds its second back until it is released.
async fn hold_second_flight(
    to: SocketAddr,
    release: watch::Receiver<bool>,
) -> (SocketAddr, watch::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (holding, held) = watch::channel(false);
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut release = release;
        let mut bytes = vec![0; 64 << 10];
        let count = from_client.read(&mut bytes).await.unwrap();
        to_server.write_all(bytes.get(..count).unwrap()).await.unwrap();
        let count = from_client.read(&mut bytes).await.unwrap();
        holding.send_replace(true);
        let _ = release.wait_for(|release| *release).await;
        to_server.write_all(bytes.get(..count).unwrap()).await.unwrap();
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    (address, held)
}

#[test]
fn a_handshake_that_began_before_its_trust_domain_was_removed_is_not_served() {
    run(async {
        let scene = setup().start().await;
        let partner = Partner::new(&Clock::system());
        partner.federate(&scene).await;
        let issued = partner.issue(Duration::from_secs(3_600));
        for is_removed in [false, true] {
            let release = watch::Sender::new(false);
            let (address, mut held) =
                hold_second_flight(scene.address(), release.subscribe()).await;
            let shaking = async {
                let mut guest = Guest::connect(address, &scene, &issued, Alpn::Http1).await?;
                guest.get("/a").await
            };
            let meanwhile = async {
                held.wait_for(|held| *held).await.unwrap();
                if is_removed {
                    partner.defederate(&scene);
                    until(async || partner.guest(&scene, Alpn::Http1).await.is_err()).await;
                }
                release.send_replace(true);
            };
            let (answer, ()) = tokio::join!(shaking, meanwhile);
            assert_eq!(answer.is_ok(), !is_removed, "{answer:?}");
        }
        let refused = scene.until_record(|record| {
            text(record, "/refused/reason") == "trust.no_bundle"
                && text(record, "/refused/claimed/0/spiffe_id") == GUEST
        });
        refused.await;
        scene.finish().await;
    });
}
