//! A line server that knows one answer: it reads all that is there and writes
//! all answers at once. No server of the line protocol can be much cheaper.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::failure::Failure;
use crate::load::one_thread;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bare line server in a process of its own; dropping it ends it.
#[derive(Debug)]
pub(crate) struct BareLines {
    process: Child,
    /// Where it listens.
    pub(crate) socket: PathBuf,
}

impl BareLines {
    /// Starts one that listens on this socket and answers each line with `answer`.
    pub(crate) fn start(socket: &Path, answer: &str) -> Result<Self, Failure> {
        Self::of_requests(socket, 1, answer)
    }

    /// The same for requests of so many lines.
    pub(crate) fn of_requests(socket: &Path, lines: usize, answer: &str) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
        let process = Command::new(own)
            .arg("bare-lines")
            .arg(socket)
            .arg(lines.to_string())
            .arg(answer)
            .spawn()
            .map_err(Failure::system("start the bare line server"))?;
        let server = Self { process, socket: socket.to_owned() };
        let late = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            if Instant::now() > late {
                return Err(Failure::Program("the bare line server did not start".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for BareLines {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Is that server, until killed.
pub(crate) fn run(socket: &Path, lines: usize, answer: &str) -> Result<(), Failure> {
    let answer: &'static [u8] = format!("{answer}\n").into_bytes().leak();
    let serving = async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, lines, answer));
        }
    };
    let served: io::Result<()> = one_thread()?.block_on(serving);
    served.map_err(Failure::system("serve"))
}

async fn serve(mut stream: UnixStream, lines: usize, answer: &[u8]) -> io::Result<()> {
    let (mut input, mut output) = (vec![0; 16 * 1024], Vec::new());
    let mut unanswered = 0;
    loop {
        let read = stream.read(&mut input).await?;
        if read == 0 {
            return Ok(());
        }
        output.clear();
        unanswered += input[..read].iter().filter(|byte| **byte == b'\n').count();
        for _ in 0..unanswered / lines {
            output.extend_from_slice(answer);
        }
        unanswered %= lines;
        stream.write_all(&output).await?;
    }
}
