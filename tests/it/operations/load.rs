//! Callers that ask without a pause, on connections that they keep and on new ones.

use std::net::SocketAddr;
use std::sync::Arc;

use portreeve::dev::{Authority, DEFAULT_TTL, WorkloadApi};
use portreeve::tls::Alpn;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::caller::{Answer, BOTH, Caller};
use crate::support::{WEB, id};

/// One request and what became of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: &'static str,
    pub(super) answer: Result<Answer, String>,
}

pub(super) struct Load {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Vec<Asked>>,
}

impl Load {
    /// Two kept connections of each protocol that ask for the paths in turn. Each ends with its first
    /// request that gets no answer.
    pub(super) async fn kept(
        api: &WorkloadApi,
        address: SocketAddr,
        paths: &'static [&'static str],
    ) -> Self {
        let mut load = Self { stop: watch::Sender::new(false), tasks: JoinSet::new() };
        for alpn in BOTH.into_iter().cycle().take(4) {
            let mut caller = Caller::connect(api, address, alpn).await.unwrap();
            let stop = load.stop.subscribe();
            load.tasks.spawn(async move {
                let mut asked = Vec::new();
                for &path in paths.iter().cycle() {
                    let answer = caller.get(path).await;
                    let was_answered = answer.is_ok();
                    asked.push(Asked { path, answer });
                    if *stop.borrow() || !was_answered {
                        break;
                    }
                }
                asked
            });
        }
        load
    }

    /// One caller of each protocol more that makes a connection for each request.
    pub(super) fn and_new(mut self, api: &Arc<WorkloadApi>, address: SocketAddr) -> Self {
        for alpn in BOTH {
            let (api, stop) = (Arc::clone(api), self.stop.subscribe());
            // What the sidecar knows already: an authority that it has not heard of is refused.
            let authority = api.authority();
            self.tasks.spawn(async move {
                let mut asked = Vec::new();
                while !*stop.borrow() {
                    let answer = ask_anew(&api, &authority, address, alpn).await;
                    asked.push(Asked { path: "/a", answer });
                }
                asked
            });
        }
        self
    }

    /// What was asked and answered until now.
    pub(super) async fn stop(self) -> Vec<Asked> {
        self.stop.send_replace(true);
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}

async fn ask_anew(
    api: &WorkloadApi,
    authority: &Authority,
    address: SocketAddr,
    alpn: Alpn,
) -> Result<Answer, String> {
    let issued = authority.issue(&id(WEB), DEFAULT_TTL).unwrap();
    let mut caller = match Caller::connect_with(api, &issued, address, alpn).await {
        // The server's authority became ours while we shook hands: a caller that looks again knows it.
        Err(refused) if refused.starts_with("trust.unknown_issuer") => {
            Caller::connect_with(api, &issued, address, alpn).await?
        }
        connected => connected?,
    };
    caller.get("/a").await
}
