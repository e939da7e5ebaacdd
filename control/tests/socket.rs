//! The two ends together, over a real socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_control::{Client, Commands, ControlSocket, OpenError, Reply, socket_path};
use dmail_net::Shutdown;

fn commands() -> Commands {
    let echo = |arguments: &[String]| Reply::list(arguments.to_vec(), "words");
    let long = |_: &[String]| Reply::list(vec!["x".repeat(100); 50_000], "lines");
    Commands::new().with("echo", "WORD ... - says them again", echo).with("long", "- much", long)
}

/// Opens a control socket and serves it.
fn open(folder: &Path) -> (PathBuf, Shutdown, tokio::task::JoinHandle<()>) {
    let socket = ControlSocket::open(folder, "control").expect("a socket");
    let shutdown = Shutdown::new();
    let served = tokio::spawn(socket.serve(commands(), shutdown.clone()));
    (socket_path(folder, "control"), shutdown, served)
}

/// Runs what blocks beside the server.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test]
async fn commands_are_answered_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a directory");
    let (path, shutdown, served) = open(folder.path());
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    beside(move || {
        let mut client = Client::connect(&path).expect("a server");
        let reply = client.ask(&["echo", "two words", ""]).expect("a reply");
        assert_eq!(reply, Reply::list(vec!["two words".into(), String::new()], "words"));
        assert_eq!(client.ask(&["long"]).expect("a reply").data.len(), 50_000);
        assert!(client.ask(&["nonsense"]).expect("a reply").result.is_err());
        assert_eq!(client.ask(&["help"]).expect("a reply").data.len(), 2);
    })
    .await;
    shutdown.drain(Duration::ZERO).await;
    served.await.expect("no panic");
    assert!(!socket_path(folder.path(), "control").exists(), "it is cleaned away");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_refused_and_the_next_one_is_not() {
    let folder = tempfile::tempdir().expect("a directory");
    let (path, _shutdown, _served) = open(folder.path());
    let said = beside(move || {
        let mut stream = UnixStream::connect(path).expect("a server");
        let mut sent = vec![b'x'; 10_000];
        sent.extend_from_slice(b"\na\x01\n\n%zz\necho a\nquit\n");
        stream.write_all(&sent).expect("room");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an end");
        said
    })
    .await;
    let statuses: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(statuses, ["+OK", "-ERR", "-ERR", "-ERR", "-ERR", "+DATA", "+OK"], "{said}");
}

#[tokio::test]
async fn one_server_has_the_socket_and_a_dead_one_loses_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let (path, shutdown, served) = open(folder.path());
    match ControlSocket::open(folder.path(), "control") {
        Err(error @ OpenError::Taken { .. }) => {
            let text = error.to_string();
            assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        }
        other => panic!("two servers: {other:?}"),
    }
    shutdown.drain(Duration::ZERO).await;
    served.await.expect("no panic");
    // As kill -9 leaves it: a socket that nobody listens at, and a lock file
    // that nobody has locked.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    let nobody = Client::connect(&path).expect_err("nobody listens");
    assert!(nobody.is_nobody(), "{nobody}");
    let (path, _shutdown, _served) = open(folder.path());
    beside(move || Client::connect(&path).map(drop)).await.expect("a server");
}
