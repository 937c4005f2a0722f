//! What may be changed over the admin socket: who is blocked.

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::serve::{self, Reply};
use crate::identity::Denial;

/// What a sidecar lets an operator change. Each method may wait for a disk, and nothing else.
pub trait Control: Send + Sync {
    fn blocked(&self) -> Vec<Denial>;
    /// Blocks a peer or a trust domain; `user` is the Unix user who asks.
    ///
    /// # Errors
    /// Why not, or only until the next start.
    fn block(&self, block: Block, user: u32) -> Result<Denial, Refused>;
    /// Takes an entry off the list; `None` where there is none.
    ///
    /// # Errors
    /// Why it stays.
    fn unblock(&self, spiffe_id: &str, user: u32) -> Result<Option<Denial>, Refused>;
}

/// Asks for an entry of the deny-list; the body of `POST /block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// A SPIFFE ID, or `spiffe://td` for all of a trust domain.
    pub spiffe_id: String,
    pub reason: String,
    /// `None`: until it is lifted.
    pub for_seconds: Option<u64>,
}

/// The body of `POST /unblock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    pub spiffe_id: String,
}

/// Why a change was not made, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub text: String,
}

/// Answers a change that is asked for.
pub(super) fn answer(control: &dyn Control, request: &Request<bytes::Bytes>, user: u32) -> Reply {
    match request.uri().path() {
        "/block" => match asked::<Block>(request) {
            Ok(block) => changed(control.block(block, user)),
            Err(reply) => *reply,
        },
        "/unblock" => match asked::<Unblock>(request) {
            Ok(Unblock { spiffe_id }) => changed(control.unblock(&spiffe_id, user)),
            Err(reply) => *reply,
        },
        _ => serve::not_found(),
    }
}

/// `{"blocked": …}` with the entry, or `{"error": …}` in words.
fn changed<T: Serialize>(outcome: Result<T, Refused>) -> Reply {
    match outcome {
        Ok(denial) => serve::json(StatusCode::OK, &json!({ "blocked": denial })),
        Err(Refused { text }) => error(StatusCode::CONFLICT, &text),
    }
}

/// A form of another origin cannot have this type without asking first.
fn asked<T: DeserializeOwned>(request: &Request<bytes::Bytes>) -> Result<T, Box<Reply>> {
    let given = request.headers().get(CONTENT_TYPE);
    if given.is_none_or(|given| given.as_bytes() != b"application/json") {
        let text = "the content type must be application/json";
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into());
    }
    serde_json::from_slice(request.body())
        .map_err(|cause| error(StatusCode::BAD_REQUEST, &format!("not understood: {cause}")).into())
}

fn error(status: StatusCode, text: &str) -> Reply {
    serve::json(status, &json!({ "error": text }))
}
