//! Each upstream: does it answer, and can anybody reach it past the sidecar.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Check;
use crate::forward::{UpstreamAddress, UpstreamSettings};

/// The kernel's lists of TCP sockets of this network namespace.
const SOCKETS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// `TCP_LISTEN` in these lists.
const LISTENING: &str = "0A";
const BYPASS: &str = "whoever reaches it is asked nothing: let the service listen on a Unix socket \
                      or on 127.0.0.1 alone";

pub(super) async fn checks(upstream: &UpstreamSettings, ours: &[SocketAddr]) -> [Check; 2] {
    let sockets = SOCKETS.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let bypass = match &upstream.address {
        _ if upstream.mtls.is_some() => {
            let name = format!("bypass of `{}`", upstream.name);
            Check::ok(&name, "it is reached by mTLS: whom it serves is its own to say")
        }
        UpstreamAddress::Unix(path) => of_socket(&upstream.name, path),
        UpstreamAddress::Tcp(address) => {
            of_port(&upstream.name, *address, ours, &listening(&sockets.concat()))
        }
    };
    [reachable(upstream).await, bypass]
}

async fn reachable(upstream: &UpstreamSettings) -> Check {
    let name = format!("upstream `{}`", upstream.name);
    let (place, connecting) = match &upstream.address {
        UpstreamAddress::Unix(path) => {
            let connected = timeout(upstream.connect_timeout, UnixStream::connect(path)).await;
            (path.display().to_string(), connected.map(|it| it.map(drop)))
        }
        UpstreamAddress::Tcp(address) => {
            let connected = timeout(upstream.connect_timeout, TcpStream::connect(address)).await;
            (address.to_string(), connected.map(|it| it.map(drop)))
        }
    };
    let to_do = "start the service, or correct the upstream's `address`";
    match connecting {
        Ok(Ok(())) => Check::ok(&name, format!("`{place}` accepts connections")),
        Ok(Err(error)) => Check::fail(&name, format!("`{place}`: {error}"), to_do),
        Err(_) => {
            let waited = upstream.connect_timeout;
            Check::fail(&name, format!("`{place}` does not answer within {waited:?}"), to_do)
        }
    }
}

/// A socket needs write permission to be connected to.
fn of_socket(upstream: &str, path: &Path) -> Check {
    let name = format!("bypass of `{upstream}`");
    let Ok(found) = std::fs::metadata(path) else {
        return Check::ok(&name, format!("there is no `{}`", path.display()));
    };
    let mode = found.permissions().mode() & 0o777;
    let text = format!("`{}` has mode {mode:04o}", path.display());
    if mode & 0o002 == 0 {
        return Check::ok(&name, text);
    }
    let to_do = "every user of this machine may connect past the sidecar: `chmod o-w` it, and share a \
                 group with the sidecar's user";
    Check::warn(&name, text, to_do)
}

/// `listening` is what this network namespace listens on, `ours` of it is the sidecar's own.
pub(super) fn of_port(
    upstream: &str,
    address: SocketAddr,
    ours: &[SocketAddr],
    listening: &[SocketAddr],
) -> Check {
    let name = format!("bypass of `{upstream}`");
    let is_open = |socket: &&SocketAddr| {
        socket.port() == address.port()
            && !socket.ip().to_canonical().is_loopback()
            && !ours.contains(socket)
    };
    match listening.iter().find(is_open) {
        Some(open) => {
            Check::warn(&name, format!("port {} listens on `{open}`", open.port()), BYPASS)
        }
        None => Check::ok(&name, format!("port {} listens on no outer address", address.port())),
    }
}

/// The addresses that the kernel's list says are listened on.
pub(super) fn listening(list: &str) -> Vec<SocketAddr> {
    let socket = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (address, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (state == LISTENING).then_some(SocketAddr::new(ip(address)?, port))
    };
    list.lines().filter_map(socket).collect()
}

/// Groups of four bytes, each a number in the machine's own order.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => word(0).map(|bytes| Ipv4Addr::from(bytes).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).into())
        }
        _ => None,
    }
}
