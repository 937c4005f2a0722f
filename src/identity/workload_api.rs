//! Our client of the SPIFFE Workload API: a task for each stream that follows it for ever.
//!
//! Every message is the full state. While the API is away the last good state stands; a
//! `PermissionDenied`, or an update without the SVID that is picked, takes it back at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::offers::Offers;
use super::proto::{self, JwtBundlesRequest, JwtBundlesResponse};
use super::proto::{JwtSvid, JwtSvidRequest, JwtSvidResponse};
use super::proto::{X509SvidRequest, X509SvidResponse};
use super::publish::Published;
use super::stream::{ask, next, open, silent};
use super::{Failure, Identity, ServedBy, Settings, UpdateError};
use crate::clock::Clock;

/// An API that connects but says nothing is tried again. SPIRE's agent answers the first call when
/// it has synced with its server, which takes seconds.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
const MIN_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// Where nobody listens a try costs microseconds, and an agent that is back must be found before an
/// SVID of some seconds ends.
const MAX_BACKOFF_UNHEARD: Duration = Duration::from_secs(1);
/// Waits differ by up to a quarter, so that workloads of one node do not return all at once.
const JITTER: f64 = 0.25;

/// Starts the task that follows the API; it ends when the last [`Identity`] of it is dropped.
pub(super) fn spawn(socket: &Path, settings: &Settings, clock: Clock) -> Identity {
    let reason = format!("the Workload API at `{}` has not answered yet", socket.display());
    let (published, identity) = Published::new(settings, clock, reason);
    follow(socket.to_owned(), Offers::new(settings.pick.clone(), published));
    identity
}

/// Asks once and returns the first message.
///
/// # Errors
/// The API cannot be reached, refuses, or does not answer in time.
pub(crate) async fn fetch(socket: &Path, within: Duration) -> Result<X509SvidResponse, Failure> {
    first(socket, proto::FETCH_X509_SVID, X509SvidRequest {}, within).await
}

/// Asks once for the keys of JWT-SVIDs and returns the first message.
///
/// # Errors
/// The API cannot be reached, refuses, or does not answer in time.
pub(crate) async fn fetch_jwt_bundles(
    socket: &Path,
    within: Duration,
) -> Result<JwtBundlesResponse, Failure> {
    first(socket, proto::FETCH_JWT_BUNDLES, JwtBundlesRequest {}, within).await
}

async fn first<Q, M>(
    socket: &Path,
    call: &'static str,
    question: Q,
    within: Duration,
) -> Result<M, Failure>
where
    Q: prost::Message + 'static,
    M: prost::Message + Default + 'static,
{
    let first = async {
        let (mut stream, _) = open(socket, call, question).await?;
        next(socket, &mut stream).await
    };
    timeout(within, first).await.unwrap_or_else(|_| Err(silent(socket, within)))
}

/// Asks for JWT-SVIDs for an audience: of one SPIFFE ID, or of all that we have.
///
/// # Errors
/// The API cannot be reached, refuses, or does not answer in time.
pub(crate) async fn fetch_jwt_svids(
    socket: &Path,
    audience: Vec<String>,
    spiffe_id: String,
    within: Duration,
) -> Result<Vec<JwtSvid>, Failure> {
    let question = JwtSvidRequest { audience, spiffe_id };
    let answer: JwtSvidResponse = ask(socket, proto::FETCH_JWT_SVID, question, within).await?;
    Ok(answer.svids)
}

/// What becomes of the messages of one stream.
pub(super) trait Follow: Send + 'static {
    type Question: prost::Message + Default + 'static;
    type Message: prost::Message + Default + 'static;
    /// The call that opens the stream.
    const CALL: &'static str;

    /// Publishes what a message says.
    ///
    /// # Errors
    /// The message cannot be used; the state is as before.
    fn accept(&mut self, message: Self::Message) -> Result<(), UpdateError>;

    /// A try failed.
    fn note(&mut self, failure: &Failure, words: String);

    /// A connection was made to this process.
    fn served_by(&mut self, _: ServedBy) {}

    /// Ends when nobody looks any more.
    fn unwatched(&self) -> impl Future<Output = ()> + Send + use<Self>;
}

impl Follow for Offers {
    type Question = X509SvidRequest;
    type Message = X509SvidResponse;
    const CALL: &'static str = proto::FETCH_X509_SVID;

    fn accept(&mut self, message: X509SvidResponse) -> Result<(), UpdateError> {
        self.accept(message)
    }

    fn note(&mut self, failure: &Failure, words: String) {
        self.published.note(failure, words);
    }

    fn served_by(&mut self, by: ServedBy) {
        self.published.served_by(by);
    }

    fn unwatched(&self) -> impl Future<Output = ()> + Send + use<> {
        self.published.unwatched()
    }
}

/// How long to wait before the next try, where `backoff` is next by doubling.
fn wait_after(failure: &Failure, backoff: Duration) -> Duration {
    if failure.needs_a_person() {
        MAX_BACKOFF
    } else if failure.is_unheard() {
        backoff.min(MAX_BACKOFF_UNHEARD)
    } else {
        backoff
    }
}

/// Starts the task that follows a stream, over and over, until nobody looks any more.
pub(super) fn follow<F: Follow>(socket: PathBuf, published: F) {
    let mut follower = Follower { socket, published, answered: false };
    tokio::spawn(async move { follower.run().await });
}

struct Follower<F> {
    socket: PathBuf,
    published: F,
    /// Whether the present connection has given a message.
    answered: bool,
}

impl<F: Follow> Follower<F> {
    async fn run(&mut self) {
        let mut backoff = MIN_BACKOFF;
        let mut logged = String::new();
        let unwatched = self.published.unwatched();
        tokio::pin!(unwatched);
        loop {
            self.answered = false;
            let failure = tokio::select! {
                failure = self.follow() => failure,
                () = &mut unwatched => return,
            };
            if self.answered {
                backoff = MIN_BACKOFF;
                logged.clear();
            }
            let words = failure.words();
            if words != logged {
                tracing::warn!(call = F::CALL, reason = words, "no update from the Workload API");
                logged.clone_from(&words);
            }
            self.published.note(&failure, words);
            let wait = wait_after(&failure, backoff);
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(1.0 - JITTER * fastrand::f64())) => {}
                () = &mut unwatched => return,
            }
            backoff = (wait * 2).min(MAX_BACKOFF);
        }
    }

    /// One connection, from opening to its failure.
    async fn follow(&mut self) -> Failure {
        let opening = async {
            let question = F::Question::default();
            let (mut stream, served_by) = open(&self.socket, F::CALL, question).await?;
            if let Some(served_by) = served_by {
                self.published.served_by(served_by);
            }
            let first: F::Message = next(&self.socket, &mut stream).await?;
            Ok((stream, first))
        };
        let opened = timeout(FIRST_MESSAGE_TIMEOUT, opening);
        let (mut stream, mut message) = match opened.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(failure)) => return failure,
            Err(_) => return silent(&self.socket, FIRST_MESSAGE_TIMEOUT),
        };
        loop {
            self.answered = true;
            if let Err(source) = self.published.accept(message) {
                let failure = Failure::Update { path: self.socket.clone(), source };
                let words = failure.words();
                tracing::warn!(reason = words, "update of the Workload API discarded");
                self.published.note(&failure, words);
            }
            message = match next(&self.socket, &mut stream).await {
                Ok(message) => message,
                Err(failure) => return failure,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_is_away_is_looked_for_every_second() {
        let path = PathBuf::from("/run/api.sock");
        let missing = Failure::Missing { path: path.clone() };
        assert_eq!(wait_after(&missing, MIN_BACKOFF), MIN_BACKOFF);
        assert_eq!(wait_after(&missing, MAX_BACKOFF), MAX_BACKOFF_UNHEARD);
        let refused = Failure::Refused { path: path.clone() };
        assert_eq!(wait_after(&refused, MAX_BACKOFF), MAX_BACKOFF_UNHEARD);
        // One that is there but cannot answer is not pressed.
        let message = String::from("busy");
        let unavailable = Failure::Unavailable { path: path.clone(), message: message.clone() };
        assert_eq!(wait_after(&unavailable, MAX_BACKOFF), MAX_BACKOFF);
        let invalid = Failure::Invalid { path, message };
        assert_eq!(wait_after(&invalid, MIN_BACKOFF), MAX_BACKOFF);
    }
}
