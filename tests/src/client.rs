//! A client that speaks lines, for transcripts: it sends what the test says,
//! right or wrong, and looks at each reply.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::wait;

/// A connection to a server that speaks lines.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The same, if somebody must listen there.
    ///
    /// # Panics
    ///
    /// If nobody does.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("a server")
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The same, if the connection must be there.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).expect("the server listens");
    }

    /// Sends a line with its CR LF.
    pub fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Reads a line, without its CR LF.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn try_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(line.iter().copied().map(char::from).collect())
    }

    /// Reads a reply, of one line or several (RFC 5321 section 4.2.1), and
    /// returns its last line.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn try_reply(&mut self) -> io::Result<String> {
        loop {
            let line = self.try_line()?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// Sends a line and reads the reply.
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.try_send_bytes(format!("{line}\r\n").as_bytes())?;
        self.try_reply()
    }

    /// Reads a reply.
    ///
    /// # Panics
    ///
    /// If it does not start so.
    pub fn expect(&mut self, start: &str) -> String {
        match self.try_reply() {
            Ok(reply) if reply.starts_with(start) => reply,
            other => panic!("expected {start}, got {other:?}"),
        }
    }

    /// Sends a line and reads the reply.
    ///
    /// # Panics
    ///
    /// If the reply does not start so.
    pub fn ask(&mut self, line: &str, start: &str) -> String {
        self.send(line);
        match self.try_reply() {
            Ok(reply) if reply.starts_with(start) => reply,
            other => panic!("{line}: expected {start}, got {other:?}"),
        }
    }

    /// Reads to the end of the connection.
    #[must_use]
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A connection that is cut off has ended as well.
        let _ = self.0.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Reads the lines of a POP3 answer up to its last line (RFC 1939 section 3).
    ///
    /// # Errors
    ///
    /// If the connection ends first.
    pub fn try_block(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.try_line()?;
            match line.strip_prefix('.') {
                Some("") => return Ok(lines),
                Some(stuffed) => lines.push(stuffed.to_owned()),
                None => lines.push(line),
            }
        }
    }

    /// LIST: the numbers and sizes of all messages.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn list(&mut self) -> Vec<String> {
        self.ask("LIST", "+OK");
        self.try_block().expect("a list")
    }

    /// RETR: the message, with CR LF line ends. Each byte is one character.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn retrieve(&mut self, number: usize) -> String {
        self.ask(&format!("RETR {number}"), "+OK");
        let lines = self.try_block().expect("a message");
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    /// A whole transaction: one message from `sender@far.example`.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn deliver(&mut self, recipients: &[&str], content: &str) {
        self.ask("MAIL FROM:<sender@far.example>", "250 ");
        for recipient in recipients {
            self.ask(&format!("RCPT TO:<{recipient}>"), "250 ");
        }
        self.ask("DATA", "354 ");
        self.send_bytes(content.as_bytes());
        self.ask(".", "250 ");
    }
}
