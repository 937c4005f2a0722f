//! The accept loop of one listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::Settings;
use super::connection::{Serving, converse, handshake};
use crate::connections;

/// Connections that the kernel completes for us while we are busy.
const BACKLOG: u32 = 1024;
/// After an accept that failed for want of files or memory: long enough not to spin, short enough to
/// be back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener whose address is taken but which accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

/// Takes an address without accepting on it, so that a wrong one is known before anything is served.
///
/// # Errors
/// The address is in use or not ours.
pub fn bind(settings: &Settings) -> io::Result<Bound> {
    let socket = match settings.address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(settings.address)?;
    let address = socket.local_addr()?;
    Ok(Bound { socket, address })
}

impl Bound {
    /// The address with the port that the system chose where the configuration said 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop` says so.
    ///
    /// # Errors
    /// The socket cannot listen.
    pub async fn serve(self, serving: Serving, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let listener = self.socket.listen(BACKLOG)?;
        let limits = &serving.settings.limits;
        let connections = Arc::new(Semaphore::new(limits.connections));
        let handshakes = Arc::new(Semaphore::new(limits.handshakes));
        let serving = Arc::new(serving);
        loop {
            // The place is taken before the connection: what has none waits in the backlog.
            let place = tokio::select! {
                place = Arc::clone(&connections).acquire_owned() => place,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            let Ok(place) = place else { return Ok(()) };
            let accepted = tokio::select! {
                accepted = accept(&listener) => accepted,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            let serving = Arc::clone(&serving);
            let handshakes = Arc::clone(&handshakes);
            let (stream, source) = accepted;
            let registration = serving.registry.register(in_time(&serving.settings.limits));
            tokio::spawn(async move {
                let open = serving.gate.metrics.connection();
                // The handshake's future is large and short-lived: it has a place of its own.
                let shaking = handshake(&serving, &handshakes, stream, source, registration.slot());
                if let Some(proven) = Box::pin(shaking).await {
                    converse(&serving, proven, source, place, registration, open).await;
                }
            });
        }
    }
}

/// The next connection; errors of the listener are waited out, not fatal.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                let is_peers = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                );
                if !is_peers {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn in_time(limits: &super::Limits) -> connections::Limits {
    connections::Limits {
        first_head: limits.header_timeout,
        between: limits.idle_timeout,
        age: limits.max_connection_age,
    }
}
