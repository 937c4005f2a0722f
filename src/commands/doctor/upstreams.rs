//! Each upstream: does it answer, and can anybody reach it past the sidecar.

use std::io;
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

pub(super) async fn checks(upstream: &UpstreamSettings, ours: &[SocketAddr]) -> [Check; 2] {
    let bypass = match &upstream.address {
        _ if upstream.mtls.is_some() => {
            let name = format!("bypass of `{}`", upstream.name);
            Check::ok(&name, "it is reached by mTLS: whom it serves is its own to say")
        }
        UpstreamAddress::Unix(path) => of_socket(&upstream.name, path),
        UpstreamAddress::Tcp(address) => of_port(&upstream.name, *address, ours, &SOCKETS),
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
    let shown = path.display();
    let mode = match std::fs::metadata(path) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Check::skip(&name, format!("not checked: there is no `{shown}`"));
        }
        Err(error) => {
            let text = format!("`{shown}` could not be looked at: {error}");
            return Check::warn(&name, text, "run the doctor as the sidecar's user");
        }
    };
    let who = match (mode & 0o002 != 0, mode & 0o020 != 0) {
        (true, _) => "every user of this machine",
        (false, true) => "its owner and its group alone",
        (false, false) => "its owner alone",
    };
    let text = format!("`{shown}` has mode {mode:04o}: {who} may connect");
    if mode & 0o002 == 0 {
        return Check::ok(&name, text);
    }
    let to_do = "whoever does is asked nothing, unless its directory is closed: `chmod o-w` it, and \
                 share a group with the sidecar's user";
    Check::warn(&name, text, to_do)
}

/// `lists` is what this network namespace listens on, `ours` of it is the sidecar's own.
pub(super) fn of_port(
    upstream: &str,
    address: SocketAddr,
    ours: &[SocketAddr],
    lists: &[&str],
) -> Check {
    let name = format!("bypass of `{upstream}`");
    let port = address.port();
    let listening = match read(lists) {
        Ok(text) => listening(&text),
        Err((path, error)) => {
            let text = format!(
                "whether anybody reaches port {port} from outside could not be looked at: \
                 `{path}`: {error}"
            );
            let to_do = format!(
                "see for yourself that the service listens on 127.0.0.1 alone: \
                 `ss -ltn 'sport = :{port}'`"
            );
            return Check::warn(&name, text, to_do);
        }
    };
    let is_open = |socket: &&SocketAddr| {
        socket.port() == port && !socket.ip().to_canonical().is_loopback() && !ours.contains(socket)
    };
    match listening.iter().find(is_open) {
        Some(open) => {
            let to_do = format!(
                "whoever reaches it is asked nothing: let the service listen on a Unix socket or on \
                 `127.0.0.1:{port}`, and not on `{open}`"
            );
            Check::fail(&name, format!("port {port} listens on `{open}`"), to_do)
        }
        None => Check::ok(&name, format!("port {port} listens on no outer address")),
    }
}

/// All lists in one text. A kernel without IPv6 has no list of it; one list there must be.
fn read<'a>(lists: &[&'a str]) -> Result<String, (&'a str, io::Error)> {
    let mut text = String::new();
    let mut missing = None;
    for &path in lists {
        match std::fs::read_to_string(path) {
            Ok(list) => text.push_str(&list),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing = Some((path, error)),
            Err(error) => return Err((path, error)),
        }
    }
    match missing {
        Some(missing) if text.is_empty() => Err(missing),
        _ => Ok(text),
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
