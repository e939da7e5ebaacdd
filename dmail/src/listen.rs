//! Sockets that the configuration names, opened before anybody is served.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use dmail_core::config::{Listen, ListenOn, SocketFile};
use dmail_net::UnixListener;
use nix::unistd::{Group, User};
use tokio::net::TcpListener;

use crate::failure::Failure;

/// A socket that listens.
pub(crate) enum Listener {
    /// An address and a port.
    Tcp(TcpListener),
    /// A unix socket, and its file.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Opens the socket that `service` is to be served on.
    pub(crate) fn open(service: &'static str, on: &ListenOn) -> Result<Self, Failure> {
        match on {
            ListenOn::Tcp(port) => bind(service, port).map(Self::Tcp),
            ListenOn::Unix(socket) => {
                let failed = |error| Failure::Listen {
                    service,
                    address: on.to_string(),
                    error,
                    blame: on.blame(),
                };
                let listener = bind_file(socket).map_err(failed)?;
                Ok(Self::Unix(listener, socket.path.clone()))
            }
        }
    }

    /// Logs where a service listens: with port 0 only the system knows.
    pub(crate) fn note(&self, service: &'static str) {
        match self {
            Self::Tcp(listener) => {
                if let Ok(address) = listener.local_addr() {
                    tracing::info!(service, %address, "listening");
                }
            }
            Self::Unix(_, path) => {
                tracing::info!(service, path = %path.display(), "listening");
            }
        }
    }
}

/// Opens a port.
pub(crate) fn bind(service: &'static str, port: &Listen) -> Result<TcpListener, Failure> {
    let address = port.socket_addr();
    let bound = dmail_net::bind(address).or_else(|error| {
        // On a machine without IPv6, "all addresses" are those of IPv4.
        match port.address {
            None if error.kind() != io::ErrorKind::AddrInUse => {
                dmail_net::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port.port))
            }
            _ => Err(error),
        }
    });
    bound.map_err(|error| Failure::Listen {
        service,
        address: port.to_string(),
        error,
        blame: port.blame(),
    })
}

fn bind_file(socket: &SocketFile) -> io::Result<UnixListener> {
    let uid = socket.owner.as_deref().map(user_id).transpose()?;
    let gid = socket.group.as_deref().map(group_id).transpose()?;
    dmail_net::bind_unix(&socket.path, socket.mode, uid, gid)
}

/// The number of a user, who may be given as one.
fn user_id(name: &str) -> io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = User::from_name(name)?.map(|user| user.uid.as_raw());
    found.ok_or_else(|| io::Error::other(format!("there is no user {name}")))
}

fn group_id(name: &str) -> io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = Group::from_name(name)?.map(|group| group.gid.as_raw());
    found.ok_or_else(|| io::Error::other(format!("there is no group {name}")))
}

/// Takes the file of a unix socket away, so that clients see at once that
/// nobody is there. To be done when the end begins, and not when all is over:
/// whoever comes after us may have put a socket there by then.
pub(crate) fn remove_file(on: &ListenOn) {
    if let ListenOn::Unix(socket) = on {
        // If it is gone already, it need not be taken away.
        let _ = std::fs::remove_file(&socket.path);
    }
}
