//! Unix sockets: clients on this machine, let in by the permissions of a file.

mod stream;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;

use rustix::net::{SocketFlags, accept_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixSocket;

pub use stream::UnixStream;

use crate::listener::{BACKLOG, Incoming};

/// A listening unix socket.
#[derive(Debug)]
pub struct UnixListener {
    socket: AsyncFd<StdListener>,
}

impl Incoming for UnixListener {
    type Stream = UnixStream;
    type Peer = ();

    const AT_ONCE: bool = true;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accept = |socket: &StdListener| Ok(accept_with(socket, flags)?);
        let socket = self.socket.async_io(Interest::READABLE, accept).await?;
        Ok((UnixStream::new(StdStream::from(socket)), None))
    }

    fn prepare(_: &UnixStream, _: Option<SocketAddr>) -> Option<()> {
        Some(())
    }

    fn dismiss(stream: &UnixStream, words: &[u8]) {
        stream.dismiss(words);
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
    let socket = socket.listen(BACKLOG)?.into_std()?;
    #[expect(deprecated, reason = "unsound for descriptors that belong to nobody; this one does")]
    let socket = AsyncFd::with_interest(socket, Interest::READABLE)?;
    Ok(UnixListener { socket })
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
    match StdStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{Limits, Policy, Shutdown, Slots, serve};

    /// A question of one letter, and what the server said until it closed.
    fn ask(mut client: &StdStream, question: &[u8]) -> String {
        // Who finds no place is told so unasked.
        let _ = client.write_all(question);
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        answer
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_session_that_panics_or_waits_holds_up_nobody() {
        let folder = std::env::temp_dir().join(format!("dmail-net-at-once-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("socket");
        let listener = bind_unix(&path, 0o600, None, None).expect("free");
        let shutdown = Shutdown::new();
        let policy = Policy {
            service: "test",
            slots: Slots::new(Limits { connections: 2, per_client: 2 }),
            busy: b"busy",
            allow: Arc::new(|_| true),
        };
        let session = |mut stream: UnixStream, _| async move {
            let mut letter = [0];
            if stream.read_exact(&mut letter).await.is_err() {
                return;
            }
            assert_ne!(letter, *b"p", "this one panics");
            stream.write_all(b"yes").await.expect("room");
        };
        tokio::spawn(serve(listener, policy, shutdown.clone(), session));
        let connect = || StdStream::connect(&path).expect("it listens");
        // A place is free again a moment after its client hears the last word.
        let only_one_is_left = async || {
            let late = tokio::time::Instant::now() + Duration::from_secs(20);
            while shutdown.sessions() != 1 {
                assert!(tokio::time::Instant::now() < late, "{} sessions", shutdown.sessions());
                tokio::task::yield_now().await;
            }
        };
        let silent = connect();
        assert_eq!(ask(&connect(), b"x"), "yes");
        only_one_is_left().await;
        for _ in 0..5 {
            assert_eq!(ask(&connect(), b"p"), "");
            only_one_is_left().await;
        }
        assert_eq!(ask(&connect(), b"x"), "yes");
        only_one_is_left().await;
        let second = connect();
        assert_eq!(ask(&connect(), b"x"), "busy");
        assert_eq!(shutdown.sessions(), 2, "they wait for a letter");
        assert_eq!(ask(&silent, b"x"), "yes");
        drop(second);
        assert_eq!(shutdown.drain(Duration::from_secs(20)).await, 0);
        fs::remove_dir_all(&folder).expect("ours");
    }

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
