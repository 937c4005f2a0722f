//! What came back, and how it is shown.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::response::Parts;
use portreeve_core::request::DECISION_ID_HEADER;
use portreeve_core::spiffe::SpiffeId;
use serde::Serialize;

use crate::commands::{Exit, Format};

/// A response is held in memory whole; what comes after is not read, and that is said.
pub(super) const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// A response and the proven identity of the server that sent it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) peer: SpiffeId,
    pub(super) parts: Parts,
    pub(super) body: Vec<u8>,
    /// The body was longer than is read.
    pub(super) truncated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) include: bool,
}

/// With these names as JSON. A body that is not UTF-8 stands in `body_base64`.
#[derive(Serialize)]
struct Report<'a> {
    status: u16,
    peer: &'a str,
    decision_id: Option<String>,
    protocol: String,
    headers: BTreeMap<&'a str, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_truncated: bool,
}

impl Answer {
    /// The body to `out`, the line about it to `talk`.
    pub(super) fn print(
        &self,
        form: Form,
        out: &mut impl Write,
        talk: &mut impl Write,
    ) -> anyhow::Result<Exit> {
        match form.format {
            Format::Json => {
                serde_json::to_writer(&mut *out, &self.report())?;
                writeln!(out)?;
            }
            Format::Pretty => {
                if form.include {
                    self.print_head(out)?;
                }
                out.write_all(&self.body)?;
                if self.body.last().is_some_and(|last| *last != b'\n') {
                    writeln!(out)?;
                }
            }
        }
        out.flush()?;
        let status = self.parts.status.as_u16();
        match self.decision_id() {
            Some(id) => writeln!(talk, "{status} from {} (decision {id})", self.peer)?,
            None => writeln!(talk, "{status} from {}", self.peer)?,
        }
        if self.truncated {
            writeln!(
                talk,
                "the body is longer than {MAX_RESPONSE_BYTES} bytes: the rest was not read"
            )?;
            return Ok(Exit::CouldNotRun);
        }
        Ok(if status < 400 { Exit::Good } else { Exit::No })
    }

    fn decision_id(&self) -> Option<String> {
        self.parts.headers.get(DECISION_ID_HEADER).map(|value| printable(value.as_bytes()))
    }

    fn print_head(&self, out: &mut impl Write) -> anyhow::Result<()> {
        writeln!(out, "{:?} {}", self.parts.version, self.parts.status)?;
        for (name, value) in &self.parts.headers {
            writeln!(out, "{name}: {}", printable(value.as_bytes()))?;
        }
        writeln!(out)?;
        Ok(())
    }

    fn report(&self) -> Report<'_> {
        let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.parts.headers {
            headers.entry(name.as_str()).or_default().push(printable(value.as_bytes()));
        }
        let text = std::str::from_utf8(&self.body).ok();
        Report {
            status: self.parts.status.as_u16(),
            peer: self.peer.as_str(),
            decision_id: self.decision_id(),
            protocol: format!("{:?}", self.parts.version),
            headers,
            body: text,
            body_base64: text.is_none().then(|| STANDARD.encode(&self.body)),
            body_truncated: self.truncated,
        }
    }
}

/// A header's value without anything that a terminal would act on.
fn printable(value: &[u8]) -> String {
    let mut shown = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b' '..=b'~' => shown.push(char::from(*byte)),
            other => shown.extend(other.escape_ascii().map(char::from)),
        }
    }
    shown
}
