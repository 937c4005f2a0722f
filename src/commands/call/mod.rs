//! `portreeve call`: one mTLS request, as curl would make it with an SVID.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};

use self::request::Request;
use super::{Exit, Format, workload_api_address};
use crate::clock::Clock;
use crate::identity::{self, Pick, Snapshot, Source, endpoint_path};
use crate::tls::{Alpn, ClientTls, Credentials, ExpectedPeer, Settings};

mod answer;
mod exchange;
mod request;
mod watched;
#[cfg(test)]
mod tests;

/// Make one mTLS request with our SVID, as curl would
///
/// The SVID comes from the Workload API. The server is trusted by its SPIFFE ID: it must be of our
/// own trust domain, unless --expect or --expect-trust-domain says otherwise; the DNS name in the
/// URL decides nothing. With --jwt a JWT-SVID goes along as `Authorization: Bearer`. The body goes to standard output, one line with the status, the server's
/// SPIFFE ID and the decision's ID to standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Such as `https://127.0.0.1:8443/orders/1`; the path is sent as it is written
    url: String,
    /// The one SPIFFE ID that the server may have
    #[arg(long, value_name = "SPIFFE_ID", conflicts_with = "expect_trust_domain")]
    expect: Option<String>,
    /// The trust domain that the server must be of [default: our own]
    #[arg(long, value_name = "NAME")]
    expect_trust_domain: Option<String>,
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header as `name: value`; may be given several times
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The body: a text, `@FILE`, or `-` for standard input; JSON unless a header says otherwise
    #[arg(short = 'd', long = "data", value_name = "DATA", allow_hyphen_values = true)]
    data: Option<String>,
    /// Speak HTTP/2 or nothing
    #[arg(long, conflicts_with = "http1")]
    http2: bool,
    /// Speak HTTP/1.1 or nothing
    #[arg(long)]
    http1: bool,
    /// The Workload API's socket: `unix:///path/to/api.sock` or an absolute path
    #[arg(long, env = "SPIFFE_ENDPOINT_SOCKET", value_name = "ADDRESS")]
    socket: Option<String>,
    /// Which of several SVIDs to present: a SPIFFE ID or a hint [default: the first]
    #[arg(long, value_name = "ID_OR_HINT")]
    pick: Option<String>,
    /// Also send a JWT-SVID for this audience, of the same SPIFFE ID
    #[arg(long, value_name = "AUDIENCE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    jwt: Option<String>,
    /// Present no certificate: the server knows us by the JWT-SVID alone, or not at all
    #[arg(long)]
    no_svid: bool,
    /// Also print the status line and the headers of the response
    #[arg(short = 'i', long)]
    include: bool,
    /// How the response is printed
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// How many seconds everything may take together
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

const AFTER_HELP: &str = "\
Exit code: 0 status below 400, 1 status 400 or above, 2 no response or the wrong peer

Examples:
  portreeve call https://127.0.0.1:8443/orders/1
  portreeve call https://orders:8443/orders -d '{\"item\":\"tea\"}' -H 'x-tenant: a'
  portreeve call https://10.0.0.7/ --expect spiffe://prod.example.org/ns/shop/sa/orders
  portreeve call https://127.0.0.1:8443/orders/1 --jwt orders --no-svid
  portreeve call https://127.0.0.1:8443/orders/1 --format json | jq .decision_id";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(call(&args, &mut io::stdout().lock(), &mut io::stderr().lock()))
}

async fn call(args: &Args, out: &mut impl Write, talk: &mut impl Write) -> anyhow::Result<Exit> {
    let mut request = Request::read(args)?;
    let source = identity_settings(args)?;
    let expected = expected(args)?;
    let within = Duration::from_secs(args.timeout);
    let work = Box::pin(async {
        let clock = Clock::system();
        let snapshot = first_snapshot(&source, clock.clone()).await?;
        if let Some(audience) = &args.jwt {
            request.add_token(&jwt_svid(&source, audience, &snapshot.svid.id, within).await?)?;
        }
        let prepare = if args.no_svid { ClientTls::without_svid } else { ClientTls::new };
        let tls = prepare(&clock, &tls_settings(args))?;
        let own = Credentials::new(&snapshot);
        let ours = || ExpectedPeer::TrustDomain(snapshot.svid.id.trust_domain().clone());
        exchange::exchange(request, &tls, &own, expected.unwrap_or_else(ours)).await
    });
    let answer = tokio::time::timeout(within, work)
        .await
        .map_err(|_| anyhow::anyhow!("no response within {} s", args.timeout))??;
    let form = answer::Form { format: args.format, include: args.include };
    answer.print(form, out, talk)
}

fn expected(args: &Args) -> anyhow::Result<Option<ExpectedPeer>> {
    if let Some(text) = &args.expect {
        let id = SpiffeId::parse(text).with_context(|| format!("--expect: `{text}`"))?;
        return Ok(Some(ExpectedPeer::Id(id)));
    }
    let Some(text) = &args.expect_trust_domain else { return Ok(None) };
    let name =
        TrustDomain::parse(text).with_context(|| format!("--expect-trust-domain: `{text}`"))?;
    Ok(Some(ExpectedPeer::TrustDomain(name)))
}

fn identity_settings(args: &Args) -> anyhow::Result<identity::Settings> {
    let socket = endpoint_path(workload_api_address(args.socket.as_deref())?)?;
    let pick = match &args.pick {
        Some(text) if text.starts_with("spiffe://") => Some(Pick::SpiffeId(
            SpiffeId::parse(text).with_context(|| format!("--pick: `{text}`"))?,
        )),
        Some(hint) => Some(Pick::Hint(hint.clone())),
        None => None,
    };
    Ok(identity::Settings { pick, ..identity::Settings::new(Source::WorkloadApi { socket }) })
}

fn tls_settings(args: &Args) -> Settings {
    let alpn = match (args.http1, args.http2) {
        (true, _) => Alpn::Http1,
        (_, true) => Alpn::Http2,
        _ => Alpn::Http2OrHttp1,
    };
    Settings { alpn, ..Settings::default() }
}

/// The first thing that the Workload API has to say, good or bad: a person waits for it.
async fn first_snapshot(
    settings: &identity::Settings,
    clock: Clock,
) -> anyhow::Result<std::sync::Arc<Snapshot>> {
    let identity = identity::spawn(settings, clock);
    let mut updates = identity.updates();
    updates.changed().await.context("the Workload API client ended")?;
    Ok(identity.current()?)
}

/// A JWT-SVID of our SPIFFE ID for an audience.
async fn jwt_svid(
    settings: &identity::Settings,
    audience: &str,
    id: &SpiffeId,
    within: Duration,
) -> anyhow::Result<String> {
    let Source::WorkloadApi { socket } = &settings.source else {
        anyhow::bail!("only the Workload API gives JWT-SVIDs")
    };
    let (audience, id) = (vec![audience.to_owned()], id.to_string());
    let svids =
        identity::workload_api::fetch_jwt_svids(socket, audience, id.clone(), within).await?;
    let ours = svids.into_iter().find(|svid| svid.spiffe_id == id);
    Ok(ours.with_context(|| format!("the Workload API gave no JWT-SVID of `{id}`"))?.svid)
}
