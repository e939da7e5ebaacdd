//! A server that understands nothing: it waits for the end of a request and
//! sends the next reply of its script. No server of the protocol that does one
//! write for each reply can be much cheaper.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::Failure;
use crate::load::one_thread;
use crate::process::Process;
use crate::script::Script;

/// A bare server in a process of its own; dropping it ends it.
#[derive(Debug)]
pub(crate) struct BareServer {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl BareServer {
    /// Starts one that plays `script` to everybody.
    pub(crate) fn start(script: &Script) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
        let mut command = Command::new(own);
        command.args(["bare-server", "--"]).args(script.to_words()).stdout(Stdio::piped());
        let mut process = Process::start("the bare server", &mut command)?;
        match process.first_line().trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(_) => Err(Failure::Program("the bare server did not start".to_owned())),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Is the bare server: prints its address and plays its script until killed.
pub(crate) fn run(words: Vec<String>) -> Result<(), Failure> {
    let script = Arc::new(Script::from_words(words));
    let serving = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(play(stream, Arc::clone(&script)));
        }
    };
    let served: io::Result<()> = one_thread()?.block_on(serving);
    served.map_err(Failure::system("serve"))
}

/// Plays the script to one client, or as much of it as the client stays for.
async fn play(mut stream: TcpStream, script: Arc<Script>) -> io::Result<()> {
    stream.write_all(script.greeting.as_bytes()).await?;
    let mut input = Vec::new();
    for step in &script.steps {
        input.clear();
        while !input.ends_with(step.until) {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
        stream.write_all(step.reply.as_bytes()).await?;
    }
    Ok(())
}
