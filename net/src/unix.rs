//! Unix sockets: clients on this machine, let in by the permissions of a file.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::Path;

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::listener::{BACKLOG, Incoming};

/// The client of a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixPeer {
    /// The user that it ran as when it connected, if the system says so.
    pub uid: Option<u32>,
}

impl Incoming for UnixListener {
    type Stream = UnixStream;
    type Peer = UnixPeer;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        Ok((stream, None))
    }

    fn prepare(stream: &UnixStream, _: Option<SocketAddr>) -> Option<UnixPeer> {
        Some(UnixPeer { uid: stream.peer_cred().ok().map(|peer| peer.uid()) })
    }

    fn dismiss(stream: &UnixStream, words: &[u8]) {
        // The socket is new, so its buffer is empty: this cannot block.
        let _ = stream.try_write(words);
    }
}

/// Opens a listening socket in the file `path`, for whom `mode` lets write to
/// it. `owner` and `group`, if given, become those of the file.
///
/// The socket of a process that has ended is replaced. Until the mode is set,
/// the file is open to whom the umask of the process leaves it.
///
/// # Errors
///
/// The system's; `AddrInUse` if a process listens there, or if the file is not
/// a socket.
pub fn bind_unix(
    path: &Path,
    mode: u32,
    owner: Option<u32>,
    group: Option<u32>,
) -> io::Result<UnixListener> {
    remove_stale(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    if owner.is_some() || group.is_some() {
        chown(path, owner, group)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)
}

/// Removes a socket that nobody listens on any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(()), // Nothing is there, or bind will say what is wrong.
        Ok(found) if !found.file_type().is_socket() => {
            let why = "there is a file of this name, and it is not a socket";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_replaced_when_its_process_has_ended_and_not_before() {
        let folder = std::env::temp_dir().join(format!("dmail-net-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("socket");
        let first = bind_unix(&path, 0o660, None, None).expect("free");
        let mode = fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let busy = bind_unix(&path, 0o660, None, None).expect_err("busy");
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(bind_unix(&path, 0o600, None, None).expect("free again"));
        fs::remove_file(&path).expect("it is there");
        fs::write(&path, "mail").expect("room");
        assert!(bind_unix(&path, 0o600, None, None).is_err(), "a file of somebody's");
        fs::remove_dir_all(&folder).expect("ours");
    }
}
