//! The server's end: a Unix socket that only its own user and root may use.
//!
//! Beside the socket `NAME.sock` lies a lock file `NAME.lock`, which is locked as long as
//! the server lives: whoever holds it owns the socket. So a socket that a
//! killed server left behind is replaced, and a second server on the same
//! folder is told of the first.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmail_core::framing::{Ending, Frame};
use dmail_net::{Connection, Shutdown};
use nix::unistd::{Uid, geteuid};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::codec::{GREETING, MAX_LINE_BYTES, Reply, parse_request};
use crate::command::Commands;

/// Connections at a time; those beyond wait to be accepted.
const CONNECTIONS: usize = 16;
/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// How long a client may take to read a reply.
const WRITE: Duration = Duration::from_secs(30);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);
/// Commands over one connection.
const COMMANDS: usize = 1000;
/// The pause after an accept that failed, for want of descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the control socket `name` of the servers in `folder` is.
#[must_use]
pub fn socket_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sock"))
}

/// Why a control socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it.
    #[error(
        "another server works in {} (process {process}): stop it first, or give this one \
         another work_path",
        folder.display()
    )]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// What its lock file says of the process.
        process: String,
    },
    /// The lock file.
    #[error("cannot lock {}: {error}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The socket.
    #[error("cannot make the control socket {}: {error}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

/// An open control socket. Its files are removed when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    _files: Files,
}

/// The socket's files. The lock goes last, when the socket is gone.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    _lock: File,
}

impl Drop for Files {
    fn drop(&mut self) {
        // A socket that cannot be removed is replaced by the next server.
        let _ = fs::remove_file(&self.path);
    }
}

impl ControlSocket {
    /// Opens the control socket `name` in `folder`, in place of one that a
    /// killed server left. Must be called within the runtime.
    ///
    /// # Errors
    ///
    /// If another server has it, or the files cannot be made.
    pub fn open(folder: &Path, name: &str) -> Result<Self, OpenError> {
        let lock = lock(folder, name)?;
        let path = socket_path(folder, name);
        let failed = |error| OpenError::Socket { path: path.clone(), error };
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let files = Files { path: path.clone(), _lock: lock };
        // Until here the umask and the folder protect it, and from here on the
        // peer's user is asked anyway.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, _files: files })
    }

    /// Serves `commands` until the server is asked to stop.
    pub async fn serve(self, commands: Commands, shutdown: Shutdown) {
        let commands = Arc::new(commands);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = Arc::clone(&places).acquire_owned();
            let accept = async {
                let place = place.await.expect("it is never closed");
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                accepted = accept => accepted,
                () = shutdown.asked() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (commands, shutdown) = (Arc::clone(&commands), shutdown.clone());
                    tokio::spawn(async move {
                        converse(stream, &commands, &shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Takes the lock, which the system gives back when this process ends, however
/// it ends.
fn lock(folder: &Path, name: &str) -> Result<File, OpenError> {
    let path = folder.join(format!("{name}.lock"));
    let failed = |error| OpenError::Lock { path: path.clone(), error };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    let file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            return Err(OpenError::Taken { folder: folder.to_owned(), process });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    fs::write(&path, format!("{}\n", std::process::id())).map_err(failed)?;
    Ok(file)
}

async fn converse(stream: UnixStream, commands: &Commands, shutdown: &Shutdown) {
    if !is_permitted(&stream) {
        tracing::warn!("control socket: a client of another user was sent away");
        return;
    }
    let mut connection = Connection::new(stream, MAX_LINE_BYTES, Ending::LfOrCrLf);
    connection.output().extend_from_slice(GREETING.as_bytes());
    connection.output().push(b'\n');
    for _ in 0..COMMANDS {
        if connection.flush(WRITE).await.is_err() {
            return;
        }
        let words = match connection.line(IDLE, Some(shutdown)).await {
            Ok(Frame::Line(line)) => parse_request(line).map_err(|error| error.to_string()),
            Ok(Frame::Refused(fault)) => Err(fault.to_string()),
            Err(_) => break,
        };
        let reply = match words {
            Err(error) => Reply::err(error),
            Ok(words) if words == ["quit"] => break,
            Ok(words) => match tokio::time::timeout(COMMAND, commands.run(&words)).await {
                Ok(reply) => reply,
                Err(_) => Reply::err("the command took too long; it may have been done in part"),
            },
        };
        reply.write(connection.output());
    }
    let _ = connection.flush(WRITE).await;
    connection.close().await;
}

/// Whether the other end is our own user or root.
fn is_permitted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| {
        let uid = Uid::from_raw(peer.uid());
        uid.is_root() || uid == geteuid()
    })
}
