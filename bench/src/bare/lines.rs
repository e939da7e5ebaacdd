//! A line server that knows one answer: it reads all that is there and writes
//! all answers at once. No server of the line protocol can be much cheaper.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::failure::Failure;
use crate::load::one_thread;
use crate::process::Process;

/// A bare line server in a process of its own; dropping it ends it.
#[derive(Debug)]
pub(crate) struct BareLines {
    process: Process,
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
        let mut command = Command::new(own);
        command.arg("bare-lines").arg(socket).arg(lines.to_string()).arg(answer);
        let mut process = Process::start("the bare line server", &mut command)?;
        process.wait_until(|| std::os::unix::net::UnixStream::connect(socket).is_ok())?;
        Ok(Self { process, socket: socket.to_owned() })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
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
