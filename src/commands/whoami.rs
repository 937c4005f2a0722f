//! `portreeve whoami`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use portreeve_core::spiffe::{JwtAuthorities, TrustDomain};
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::policy::report::printable;
use super::{Exit, Format, workload_api_address};
use crate::identity::proto::JwtBundlesResponse;
use crate::identity::update::trust_domain_named;
use crate::identity::{Failure, Svid, endpoint_path, update, workload_api};

/// Print the identities and bundles that the Workload API gives this process
///
/// For each SVID its SPIFFE ID, its hint, how long it holds and its chain; then the trust domains
/// whose callers are trusted, and how many keys of JWT-SVIDs each has. The hint or the ID is what `portreeve call --pick` and
/// `identity.pick` in the configuration take. No key is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The Workload API's socket: `unix:///path/to/api.sock` or an absolute path
    #[arg(long, env = "SPIFFE_ENDPOINT_SOCKET", value_name = "ADDRESS")]
    socket: Option<String>,
    /// How many seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

const AFTER_HELP: &str = "\
Exit code: 0 at least one SVID, 1 no identity is issued, 2 the API cannot be reached or used

Examples:
  portreeve whoami
  portreeve whoami --socket unix:///run/spire/agent/public/api.sock
  portreeve whoami --format json | jq -r '.svids[].spiffe_id'";

/// What is printed; as JSON, with these names.
#[derive(Serialize)]
struct Report {
    svids: Vec<SvidReport>,
    /// How many roots each trust domain has.
    bundles: BTreeMap<String, usize>,
    /// How many usable keys of JWT-SVIDs each trust domain has; `null` where the API does not say.
    jwt_bundles: Option<BTreeMap<String, usize>>,
}

#[derive(Serialize)]
struct SvidReport {
    spiffe_id: String,
    hint: Option<String>,
    not_before: String,
    not_after: String,
    /// The leaf first.
    chain: Vec<CertificateReport>,
}

#[derive(Serialize)]
struct CertificateReport {
    subject: String,
    issuer: String,
    /// Lower-case hex without separators.
    serial: String,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { socket, timeout, format } = args;
    let socket = endpoint_path(workload_api_address(socket.as_deref())?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let fetched = runtime.block_on(workload_api::fetch(&socket, Duration::from_secs(timeout)));
    let message = match fetched {
        Ok(message) => message,
        Err(denied @ Failure::Denied { .. }) => {
            writeln!(io::stderr(), "{denied}")?;
            return Ok(Exit::No);
        }
        Err(failure) => return Err(failure.into()),
    };
    let asked = workload_api::fetch_jwt_bundles(&socket, Duration::from_secs(timeout));
    let jwt_bundles = match runtime.block_on(asked) {
        Ok(message) => Some(jwt_keys(&message)),
        Err(failure) => {
            writeln!(io::stderr(), "no keys of JWT-SVIDs: {}", printable(&failure.words()))?;
            None
        }
    };
    let mut report = Report { svids: Vec::new(), bundles: BTreeMap::new(), jwt_bundles };
    for offered in &message.svids {
        let svid = update::read_svid(offered)?;
        let (bundles, unusable) = update::read_bundles(&message, offered, &svid.id)?;
        for bundle in unusable {
            let text = format!("bundle `{}` is not used: {}", bundle.name, bundle.text);
            writeln!(io::stderr(), "{}", printable(&text))?;
        }
        for (trust_domain, roots) in bundles {
            report.add_bundle(&trust_domain, &roots);
        }
        let hint = Some(offered.hint.clone()).filter(|hint| !hint.is_empty());
        report.svids.push(describe(&svid, hint)?);
    }
    if report.svids.is_empty() {
        return Err(update::UpdateError::NoSvid.into());
    }
    print(&report, format, &mut io::stdout().lock())?;
    Ok(Exit::Good)
}

impl Report {
    /// Of two SVIDs of one message each has the bundle of its own domain: the larger is shown.
    fn add_bundle(&mut self, trust_domain: &TrustDomain, roots: &[CertificateDer<'_>]) {
        let count = self.bundles.entry(trust_domain.to_string()).or_default();
        *count = roots.len().max(*count);
    }
}

fn jwt_keys(message: &JwtBundlesResponse) -> BTreeMap<String, usize> {
    let named = message.bundles.iter();
    let named = named.filter_map(|(name, keys)| Some((trust_domain_named(name).ok()?, &keys[..])));
    let authorities = JwtAuthorities::new(named);
    authorities.trust_domains().map(|(name, keys)| (name.to_string(), keys)).collect()
}

fn describe(svid: &Svid, hint: Option<String>) -> anyhow::Result<SvidReport> {
    let chain = svid.certified_key.cert.iter().map(|der| {
        let (_, certificate) = X509Certificate::from_der(der)?;
        Ok(CertificateReport {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: certificate.raw_serial_as_string().replace(':', ""),
        })
    });
    Ok(SvidReport {
        spiffe_id: svid.id.to_string(),
        hint,
        not_before: svid.not_before.to_string(),
        not_after: svid.not_after.to_string(),
        chain: chain.collect::<anyhow::Result<_>>()?,
    })
}

fn print(report: &Report, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, report)?;
        writeln!(out)?;
        return Ok(());
    }
    for svid in &report.svids {
        writeln!(out, "{}", svid.spiffe_id)?;
        if let Some(hint) = &svid.hint {
            writeln!(out, "  hint     {hint}")?;
        }
        writeln!(out, "  valid    {} to {}", svid.not_before, svid.not_after)?;
        for certificate in &svid.chain {
            writeln!(out, "  subject  {}", certificate.subject)?;
            writeln!(out, "  issuer   {}", certificate.issuer)?;
        }
    }
    writeln!(out, "trusted domains")?;
    for (trust_domain, roots) in &report.bundles {
        let nobody = if *roots == 0 { " (nobody of it is trusted)" } else { "" };
        writeln!(out, "  {trust_domain}  root certificates: {roots}{nobody}")?;
    }
    for (index, (trust_domain, keys)) in report.jwt_bundles.iter().flatten().enumerate() {
        if index == 0 {
            writeln!(out, "keys of JWT-SVIDs")?;
        }
        writeln!(out, "  {trust_domain}  keys: {keys}")?;
    }
    Ok(())
}
