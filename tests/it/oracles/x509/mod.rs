//! The suite `spiffe-x509` through the verifiers of the crate `spiffe-rustls`, fed by its own client of
//! the Workload API: it accepts and refuses as ours does, but for the differences that are listed.

mod differences;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve::dev::{Entry, Settings, WorkloadApi};
use portreeve::tls::{Role, Trust};
use portreeve_core::Timestamp;
use portreeve_core::spiffe::{Leaf, SpiffeId, TrustDomain};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SigningKey;
use rustls::time_provider::TimeProvider;
use spiffe::X509Source;
use tokio::io::duplex;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::x509::{Case, cases, stand_in};

const BUFFER_BYTES: usize = 256 << 10;
/// How long the crate may take to take over what the Workload API hands out.
const SYNC: Duration = Duration::from_secs(5);

type Bundles = BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>;

#[tokio::test(flavor = "multi_thread")]
async fn the_crate_agrees_with_every_case_but_for_the_listed_differences() {
    let stand_in = stand_in();
    let folder = tempfile::tempdir().unwrap();
    let mut groups: Vec<(Bundles, Vec<Case>)> = Vec::new();
    for case in cases() {
        match groups.iter_mut().find(|(bundles, _)| *bundles == case.bundles) {
            Some((_, of_bundles)) => of_bundles.push(case),
            None => groups.push((case.bundles.clone(), vec![case])),
        }
    }
    let mut differ = BTreeMap::new();
    for (number, (bundles, cases)) in groups.iter().enumerate() {
        let api = serve(&folder.path().join(format!("{number}.sock")), bundles);
        for case in cases {
            let trust = Trust::new(bundles, &case.crls);
            let (leaf, intermediates) = case.chain.split_first().unwrap();
            let verified = trust.verify(leaf, intermediates, case.role, case.time);
            // A key that nobody can sign with is refused in the handshake.
            let ours = verified.is_ok() && case.key.is_some();
            let theirs = match case.role {
                Role::Client => accepts_client(&api, case, &stand_in).await,
                Role::Server => accepts_server(&api, case, &stand_in).await,
            };
            if ours != theirs.is_ok() {
                differ.insert(
                    case.id.clone(),
                    theirs.map_or_else(|why| why, |()| "accepted".to_owned()),
                );
            }
        }
        api.shutdown().await;
    }
    let seen: BTreeSet<_> = differ.keys().map(String::as_str).collect();
    let listed: BTreeSet<_> = differences::LIST.iter().flat_map(|(_, ids)| *ids).copied().collect();
    let unlisted: Vec<_> = differ.iter().filter(|(id, _)| !listed.contains(id.as_str())).collect();
    let agreed: Vec<_> = listed.difference(&seen).collect();
    assert!(unlisted.is_empty(), "{} differ and are not listed: {unlisted:#?}", unlisted.len());
    assert!(agreed.is_empty(), "listed as different, but the crate agrees: {agreed:#?}");
}

/// A byte that another takes the place of makes the same certificate but for its signature, which the
/// reading of an ID does not look at.
#[test]
fn every_byte_in_an_id_is_judged_as_the_crate_judges_it() {
    let good = cases().into_iter().find(|case| case.id == "leaf::client").unwrap();
    let der = good.chain[0].to_vec();
    let id = b"spiffe://a.test/web";
    let start = der.windows(id.len()).position(|window| window == id).unwrap();
    let (mut accepted, mut lowered) = (0, Vec::new());
    for place in [b"spiffe://".len(), b"spiffe://a.test/".len()] {
        for byte in 0..=u8::MAX {
            let mut der = der.clone();
            der[start + place] = byte;
            let ours = Leaf::read(&der).map(|leaf| leaf.id.to_string());
            let theirs = spiffe::cert::spiffe_id_from_der(&der).map(|id| id.to_string());
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) if ours == theirs => accepted += 1,
                (Err(_), Err(_)) => {}
                (Err(_), Ok(_)) => lowered.push(byte),
                (ours, theirs) => panic!("byte {byte} at {place}: {ours:?}, the crate {theirs:?}"),
            }
        }
    }
    // 26 letters, 10 digits and 3 marks in a trust domain, upper-case letters too in a path.
    assert_eq!(accepted, 39 + 65);
    assert_eq!(lowered, (b'A'..=b'Z').collect::<Vec<_>>(), "the crate makes upper case lower");
}

fn serve(socket: &Path, bundles: &Bundles) -> WorkloadApi {
    let domain = TrustDomain::parse("oracle.test").unwrap();
    let id = SpiffeId::parse("spiffe://oracle.test/oracle").unwrap();
    let mut settings = Settings::new(domain, socket.to_owned());
    settings.entries = vec![Entry::any(id)];
    let api = WorkloadApi::start(settings).unwrap();
    for (name, roots) in bundles {
        let bundle: Vec<u8> = roots.iter().flat_map(|root| root.to_vec()).collect();
        api.federate(name, bundle);
    }
    api
}

async fn source(api: &WorkloadApi) -> Result<X509Source, String> {
    let builder = X509Source::builder().endpoint(api.endpoint()).initial_sync_timeout(SYNC);
    builder.build().await.map_err(|error| format!("no source: {error}"))
}

/// Whether the crate takes the case's peer as a client.
async fn accepts_client(
    api: &WorkloadApi,
    case: &Case,
    stand_in: &Arc<dyn SigningKey>,
) -> Result<(), String> {
    let time = case.time;
    let config = spiffe_rustls::mtls_server(source(api).await?)
        .with_config_customizer(move |config| config.time_provider = Arc::new(At(time)))
        .build()
        .map_err(|error| error.to_string())?;
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let connector = TlsConnector::from(case.as_client(stand_in));
    let name = ServerName::try_from("oracle.test").unwrap();
    let theirs = async { drop(connector.connect(name, theirs).await) };
    let (accepted, ()) = tokio::join!(acceptor.accept(ours), theirs);
    accepted.map(drop).map_err(|error| error.to_string())
}

/// Whether the crate takes the case's peer as a server.
async fn accepts_server(
    api: &WorkloadApi,
    case: &Case,
    stand_in: &Arc<dyn SigningKey>,
) -> Result<(), String> {
    let time = case.time;
    let config = spiffe_rustls::mtls_client(source(api).await?)
        .with_config_customizer(move |config| config.time_provider = Arc::new(At(time)))
        .build()
        .map_err(|error| error.to_string())?;
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let acceptor = TlsAcceptor::from(case.as_server(stand_in));
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("oracle.test").unwrap();
    let theirs = async { drop(acceptor.accept(theirs).await) };
    let (connected, ()) = tokio::join!(connector.connect(name, ours), theirs);
    connected.map(drop).map_err(|error| error.to_string())
}

/// The case's time, for rustls to ask.
#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
