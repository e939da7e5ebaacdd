//! Clients of the dialects: each asks about one user over a connection of its
//! own, and reads the answer as a server of its kind would.

use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::peer::cyrus;
use crate::{base64, wait};

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `authdaemon`, a login.
    Authdaemon,
    /// `dovecot-auth`, with PLAIN.
    DovecotAuth,
    /// `dovecot-master`, a lookup.
    DovecotMaster,
    /// `dovecot-userdb`, a lookup.
    DovecotUserdb,
    /// `policy`, a message of a login to be sent.
    Policy,
    /// `saslauthd`.
    Saslauthd,
    /// `socketmap`, the map `vmailbox`.
    Socketmap,
    /// `tcp-table`, the map `vmailbox`.
    TcpTable,
    /// `tcpauth`, in its first version.
    Tcpauth,
}

/// Where a dialect is served.
#[derive(Debug, Clone)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// What was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The password is right, or there is such a user.
    Yes,
    /// It is wrong, or there is none.
    No,
    /// Nobody can say now.
    Later,
}

/// A stream of either kind.
trait Stream: Read + Write + Send + Debug {
    fn finish(&self) -> io::Result<()>;
    fn twin(&self) -> io::Result<Box<dyn Stream>>;
}

impl Stream for TcpStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.try_clone()?))
    }
}

impl Stream for UnixStream {
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn twin(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.try_clone()?))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection(BufReader<Box<dyn Stream>>);

impl Place {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub fn try_connect(&self) -> io::Result<Connection> {
        let stream: Box<dyn Stream> = match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(wait::PATIENCE))?;
                stream.set_write_timeout(Some(wait::PATIENCE))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(wait::PATIENCE))?;
                stream.set_write_timeout(Some(wait::PATIENCE))?;
                Box::new(stream)
            }
        };
        Ok(Connection(BufReader::new(stream)))
    }

    /// Connects.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    pub fn connect(&self) -> Connection {
        self.try_connect().expect("it listens")
    }
}

impl Connection {
    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("it listens");
    }

    /// Says that nothing more will come. Answers are still read.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        self.0.get_mut().finish()
    }

    /// The same connection once more, for a thread that sends while another one
    /// reads.
    ///
    /// # Panics
    ///
    /// If there are too many descriptors.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self(BufReader::new(self.0.get_ref().twin().expect("a descriptor")))
    }

    /// The next line, without its end; what there is of it if the connection
    /// ends.
    ///
    /// # Panics
    ///
    /// If neither comes in time.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line) {
            Ok(_) => {}
            Err(error) if is_end(&error) => {}
            Err(error) => panic!("no line: {error}"),
        }
        String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned()
    }

    /// Everything up to the end of the connection.
    ///
    /// # Panics
    ///
    /// If it does not end in time.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(error) if is_end(&error) => rest,
            Err(error) => panic!("no end: {error}"),
        }
    }

    /// Sends a login in Dovecot's dialect. `origin` is parameters of it.
    pub fn send_login(&mut self, id: u32, user: &str, password: &str, origin: &str) {
        let response = base64::plain(user, password);
        self.send(format!("AUTH\t{id}\tPLAIN\t{origin}\tresp={response}\n").as_bytes());
    }
}

/// A connection that is cut off has ended as well.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Authdaemon,
        Self::DovecotAuth,
        Self::DovecotMaster,
        Self::DovecotUserdb,
        Self::Policy,
        Self::Saslauthd,
        Self::Socketmap,
        Self::TcpTable,
        Self::Tcpauth,
    ];

    /// Its name in dmail.conf.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authdaemon => "authdaemon",
            Self::DovecotAuth => "dovecot-auth",
            Self::DovecotMaster => "dovecot-master",
            Self::DovecotUserdb => "dovecot-userdb",
            Self::Policy => "policy",
            Self::Saslauthd => "saslauthd",
            Self::Socketmap => "socketmap",
            Self::TcpTable => "tcp-table",
            Self::Tcpauth => "tcpauth",
        }
    }

    /// The options that it cannot do without.
    #[must_use]
    pub fn options(self) -> &'static str {
        match self {
            Self::Authdaemon => "uid=5000 gid=5000 home=/var/mail",
            Self::TcpTable => "map=vmailbox",
            _ => "",
        }
    }

    /// Whether it asks about passwords, and not only about users.
    #[must_use]
    pub fn checks(self) -> bool {
        matches!(self, Self::Authdaemon | Self::DovecotAuth | Self::Saslauthd | Self::Tcpauth)
    }

    /// A new connection, past what the server says first.
    ///
    /// # Panics
    ///
    /// If nobody listens there, or greets otherwise.
    #[must_use]
    pub fn greeted(self, place: &Place) -> Connection {
        let mut connection = place.connect();
        let last = match self {
            Self::DovecotAuth => "DONE",
            Self::DovecotMaster | Self::DovecotUserdb => "SPID",
            _ => return connection,
        };
        loop {
            let line = connection.line();
            assert!(!line.is_empty(), "the end before the greeting was over");
            if line.starts_with(last) {
                return connection;
            }
        }
    }

    /// What a client says first.
    #[must_use]
    pub fn hello(self) -> &'static [u8] {
        match self {
            Self::DovecotAuth | Self::DovecotMaster | Self::DovecotUserdb => {
                b"VERSION\t1\t1\nCPID\t77\n"
            }
            _ => b"",
        }
    }

    /// A new connection on which a request can be sent.
    ///
    /// # Panics
    ///
    /// If nobody listens there, or greets otherwise.
    #[must_use]
    pub fn connect(self, place: &Place) -> Connection {
        let mut connection = self.greeted(place);
        connection.send(self.hello());
        connection
    }

    /// A request about a user of the main domain.
    #[must_use]
    pub fn request(self, user: &str, password: &str) -> Vec<u8> {
        let address = format!("{user}@corp.example");
        match self {
            Self::Authdaemon => {
                let body = format!("imap\nlogin\n{user}\n{password}\n");
                format!("AUTH {}\n{body}", body.len()).into_bytes()
            }
            Self::DovecotAuth => {
                let response = base64::plain(user, password);
                format!("AUTH\t1\tPLAIN\tservice=imap\tresp={response}\n").into_bytes()
            }
            Self::DovecotMaster | Self::DovecotUserdb => {
                format!("USER\t1\t{user}\tservice=lmtp\n").into_bytes()
            }
            Self::Policy => format!(
                "request=smtpd_access_policy\nprotocol_state=RCPT\nsasl_username={user}\n\
                 sender={address}\nrecipient=ann@far.example\nrecipient_count=0\n\n"
            )
            .into_bytes(),
            Self::Saslauthd => saslauthd([user, password, "imap", ""]),
            Self::Socketmap => {
                let text = format!("vmailbox {address}");
                format!("{}:{text},", text.len()).into_bytes()
            }
            Self::TcpTable => format!("get {address}\n").into_bytes(),
            Self::Tcpauth => format!("check {user} {password}\n").into_bytes(),
        }
    }

    /// Reads an answer.
    ///
    /// # Panics
    ///
    /// If it is none of this dialect.
    pub fn hear(self, connection: &mut Connection) -> Heard {
        let text = match self {
            Self::Authdaemon | Self::Saslauthd => {
                String::from_utf8_lossy(&connection.rest()).into_owned()
            }
            Self::Socketmap => {
                let mut reply = Vec::new();
                let _ = connection.0.read_until(b',', &mut reply);
                String::from_utf8_lossy(&reply).into_owned()
            }
            Self::Policy => {
                let line = connection.line();
                assert_eq!(connection.line(), "", "an empty line ends an answer");
                line
            }
            _ => connection.line(),
        };
        let means = |yes: bool, no: bool, later: bool| match (yes, no, later) {
            (true, false, false) => Heard::Yes,
            (false, true, false) => Heard::No,
            (false, false, true) => Heard::Later,
            _ => panic!("{self:?}: {text:?}"),
        };
        let starts = |start: &str| text.starts_with(start);
        match self {
            Self::Authdaemon => means(text.ends_with("\n.\n"), text == "FAIL\n", text.is_empty()),
            Self::DovecotAuth => means(
                starts("OK\t1\tuser="),
                starts("FAIL\t1") && !text.contains("code=temp_fail"),
                text.is_empty() || text == "FAIL\t1\tcode=temp_fail",
            ),
            Self::Policy => means(text == "action=DUNNO", starts("action=550 "), text.is_empty()),
            Self::DovecotMaster | Self::DovecotUserdb => {
                means(starts("USER\t1\t"), text == "NOTFOUND\t1", text == "FAIL\t1")
            }
            Self::Saslauthd => means(text == "\0\u{2}OK", text == "\0\u{2}NO", text.is_empty()),
            Self::Socketmap => {
                means(text.contains(":OK "), text == "9:NOTFOUND ,", text.contains(":TEMP "))
            }
            Self::TcpTable => means(starts("200 "), starts("500 "), starts("400 ")),
            Self::Tcpauth => means(starts("+OK "), starts("-ERR "), starts("-DEAD ")),
        }
    }

    /// Asks about a user of the main domain over a connection of its own.
    ///
    /// # Panics
    ///
    /// If nobody listens at `place`, or the answer is none of this dialect.
    #[must_use]
    pub fn ask(self, place: &Place, user: &str, password: &str) -> Heard {
        let mut connection = self.connect(place);
        connection.send(&self.request(user, password));
        self.hear(&mut connection)
    }
}

/// A request of saslauthd's dialect: login, password, service, realm.
#[must_use]
pub fn saslauthd(fields: [&str; 4]) -> Vec<u8> {
    cyrus::request(&fields.map(str::as_bytes))
}
