//! Every case over a connection: the handshake ends as the verifier alone does.

use std::sync::Arc;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::dev::Authority;
use portreeve::identity::Snapshot;
use portreeve::tls::{
    self, ClientTls, Credentials, ExpectedPeer, Peer, Refused, Role, ServerTls, Settings,
};
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::pki_types::ServerName;
use rustls::sign::SigningKey;
use tokio::io::duplex;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Case, cases, stand_in};

/// More than any chain of the cases that TLS can carry.
const BUFFER_BYTES: usize = 256 << 10;

#[tokio::test]
async fn every_case_ends_over_a_connection_as_in_the_verifier() {
    let stand_in = stand_in();
    let settings = Settings::default();
    let mut differ = Vec::new();
    for case in cases() {
        let own = credentials(&case);
        let (leaf, intermediates) = case.chain.split_first().unwrap();
        let verified = own.trust().verify(leaf, intermediates, case.role, case.time);
        let expected = match &verified {
            Ok(_) if case.key.is_none() => "peer.key_not_proven".to_owned(),
            Ok(verified) => verified.leaf.id.to_string(),
            Err(error) => error.reason().to_owned(),
        };
        let outcome = match case.role {
            Role::Client => accept(&case, &own, &settings, &stand_in).await,
            Role::Server => connect(&case, &own, &settings, &stand_in).await,
        };
        let seen = match outcome {
            Ok(peer) => peer.id().unwrap().to_string(),
            Err(refused) => refused.reason.to_owned(),
        };
        if seen != expected {
            differ.push(format!("{}: `{seen}`, in the verifier `{expected}`", case.id));
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

#[tokio::test]
async fn a_good_chain_without_its_key_is_refused_in_either_role() {
    let stand_in = stand_in();
    let settings = Settings::default();
    for (id, role) in [("leaf::client", Role::Client), ("leaf::server", Role::Server)] {
        let mut case = cases().into_iter().find(|case| case.id == id).unwrap();
        case.key = None;
        let own = credentials(&case);
        let outcome = match role {
            Role::Client => accept(&case, &own, &settings, &stand_in).await,
            Role::Server => connect(&case, &own, &settings, &stand_in).await,
        };
        assert_eq!(outcome.unwrap_err().reason, "peer.key_not_proven", "{id}");
    }
}

/// The case's peer comes as a client.
async fn accept(
    case: &Case,
    own: &Credentials,
    settings: &Settings,
    stand_in: &Arc<dyn SigningKey>,
) -> Result<Peer, Refused> {
    let tls = ServerTls::new(&Clock::manual(case.time), settings).unwrap();
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let connector = TlsConnector::from(case.as_client(stand_in));
    let name = ServerName::try_from("portreeve.test").unwrap();
    let theirs = async { drop(connector.connect(name, theirs).await) };
    let (accepted, ()) = tokio::join!(tls::accept(ours, &tls, own), theirs);
    accepted.map(|(_, peer)| peer)
}

/// The case's peer is a server.
async fn connect(
    case: &Case,
    own: &Credentials,
    settings: &Settings,
    stand_in: &Arc<dyn SigningKey>,
) -> Result<Peer, Refused> {
    let tls = ClientTls::new(&Clock::manual(case.time), settings).unwrap();
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let acceptor = TlsAcceptor::from(case.as_server(stand_in));
    let theirs = async { drop(acceptor.accept(theirs).await) };
    // Whom we want is asked after the chain: the cases' good servers are all of one ID or domain.
    let (leaf, intermediates) = case.chain.split_first().unwrap();
    let verified = own.trust().verify(leaf, intermediates, case.role, case.time);
    let expected = match verified {
        Ok(verified) => ExpectedPeer::Id(verified.leaf.id),
        Err(_) => ExpectedPeer::TrustDomain(TrustDomain::parse("a.test").unwrap()),
    };
    let name = ServerName::try_from("portreeve.test").unwrap();
    let connected = tls::connect(ours, &tls, own, expected, name);
    let (connected, ()) = tokio::join!(connected, theirs);
    connected.map(|(_, peer)| peer)
}

/// An SVID of ours, valid at the case's time, and the trust that the case names.
fn credentials(case: &Case) -> Arc<Credentials> {
    let domain = TrustDomain::parse("portreeve.test").unwrap();
    let authority = Authority::new(domain, Clock::manual(case.time)).unwrap();
    let id = SpiffeId::parse("spiffe://portreeve.test/sidecar").unwrap();
    let issued = authority.issue(&id, Duration::from_secs(3_600)).unwrap();
    Credentials::new(&Snapshot {
        sequence: 1,
        svid: issued.svid().unwrap(),
        bundles: case.bundles.clone(),
        crls: case.crls.clone(),
        received: case.time,
    })
}
