//! What is the same in many lines and rendered once: the facts of a connection, and the instance.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use super::json;
use crate::request::{ConnectionFacts, TlsFacts};
use crate::spiffe::CertificateFacts;
use crate::spiffe::SpiffeId;

const MAX_ID_BYTES: usize = 2_048;
const MAX_NAME_BYTES: usize = 256;
const MAX_WORD_BYTES: usize = 160;

/// `"source":…,"destination":…,"tls":…` of one connection, rendered for its first record.
#[derive(Debug, Default)]
pub struct RecordFragment {
    rendered: OnceLock<Rendered>,
}

#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) json: Vec<u8>,
    /// What was masked or cut.
    pub(super) masked: Vec<&'static str>,
}

/// The process that writes a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub service: Arc<str>,
    pub host: Arc<str>,
    pub pid: u32,
    /// Tells the lives of one host apart, where the system says.
    pub boot_id: Option<Arc<str>>,
    pub version: Arc<str>,
}

/// `"instance":…`, rendered when the log is opened.
#[derive(Clone, Debug)]
pub struct InstanceFragment(Arc<[u8]>);

struct Fields {
    json: Vec<u8>,
    masked: Vec<&'static str>,
}

impl RecordFragment {
    pub(super) fn of(facts: &ConnectionFacts) -> &Rendered {
        facts.record.rendered.get_or_init(|| render(facts))
    }
}

impl Instance {
    #[must_use]
    pub fn fragment(&self) -> InstanceFragment {
        let mut fields = Fields { json: Vec::new(), masked: Vec::new() };
        fields.text("\"instance\":{\"service\":", "", &self.service, MAX_NAME_BYTES);
        fields.text(",\"host\":", "", &self.host, MAX_NAME_BYTES);
        fields.raw(",\"pid\":");
        json::number(&mut fields.json, u64::from(self.pid));
        if let Some(boot_id) = &self.boot_id {
            fields.text(",\"boot_id\":", "", boot_id, MAX_WORD_BYTES);
        }
        fields.text(",\"version\":", "", &self.version, MAX_WORD_BYTES);
        fields.raw("}");
        InstanceFragment(fields.json.into())
    }
}

impl InstanceFragment {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn render(facts: &ConnectionFacts) -> Rendered {
    let mut fields = Fields { json: Vec::with_capacity(768), masked: Vec::new() };
    let source = &facts.source;
    fields.id("\"source\":{\"spiffe_id\":", "/source/spiffe_id", source.spiffe_id.as_ref());
    match &source.spiffe_id {
        Some(id) => {
            let name = id.trust_domain().as_str();
            fields.text(",\"trust_domain\":", "/source/trust_domain", name, MAX_NAME_BYTES);
        }
        None => fields.raw(",\"trust_domain\":null"),
    }
    fields.address(source.address);
    fields.certificate(source.certificate.as_ref());
    if source.jwt.is_some() {
        fields.masked.push("/source/jwt");
    }
    let destination = &facts.destination;
    let pointer = "/destination/spiffe_id";
    fields.id("},\"destination\":{\"spiffe_id\":", pointer, destination.spiffe_id.as_ref());
    fields.text(",\"service\":", "/destination/service", &destination.service, MAX_NAME_BYTES);
    fields.address(destination.address);
    fields.raw("},\"tls\":");
    fields.tls(facts.tls.as_ref());
    Rendered { json: fields.json, masked: fields.masked }
}

impl Fields {
    fn raw(&mut self, text: &str) {
        self.json.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, key: &str, pointer: &'static str, value: &str, max: usize) {
        self.raw(key);
        if !json::string(&mut self.json, value.as_bytes(), max) {
            self.masked.push(pointer);
        }
    }

    fn id(&mut self, key: &str, pointer: &'static str, id: Option<&SpiffeId>) {
        match id {
            Some(id) => self.text(key, pointer, id.as_str(), MAX_ID_BYTES),
            None => {
                self.raw(key);
                self.raw("null");
            }
        }
    }

    fn address(&mut self, address: SocketAddr) {
        self.text(",\"address\":{\"ip\":", "", &address.ip().to_string(), MAX_WORD_BYTES);
        self.raw(",\"port\":");
        json::number(&mut self.json, u64::from(address.port()));
        self.raw("}");
    }

    fn certificate(&mut self, certificate: Option<&CertificateFacts>) {
        self.raw(",\"certificate\":");
        let Some(certificate) = certificate else { return self.raw("null") };
        let CertificateFacts { serial, sha256, issuer, not_before, not_after } = certificate;
        self.text("{\"serial\":", "/source/certificate/serial", serial, MAX_WORD_BYTES);
        self.text(",\"sha256\":", "/source/certificate/sha256", sha256, MAX_WORD_BYTES);
        self.text(",\"issuer\":", "/source/certificate/issuer", issuer, 512);
        self.text(",\"not_before\":", "", &not_before.to_string(), MAX_WORD_BYTES);
        self.text(",\"not_after\":", "", &not_after.to_string(), MAX_WORD_BYTES);
        self.raw("}");
    }

    fn tls(&mut self, tls: Option<&TlsFacts>) {
        let Some(TlsFacts { version, cipher_suite, alpn, sni }) = tls else {
            return self.raw("null");
        };
        self.text("{\"version\":", "/tls/version", version, MAX_WORD_BYTES);
        self.text(",\"cipher_suite\":", "/tls/cipher_suite", cipher_suite, MAX_WORD_BYTES);
        for (key, pointer, value) in
            [(",\"alpn\":", "/tls/alpn", alpn), (",\"sni\":", "/tls/sni", sni)]
        {
            match value {
                Some(value) => self.text(key, pointer, value, MAX_NAME_BYTES),
                None => {
                    self.raw(key);
                    self.raw("null");
                }
            }
        }
        self.raw("}");
    }
}
