//! Every dialect that is spoken on sockets: the line that serves it, and a
//! question with its answer.

use crate::server::Server;
use crate::site::Site;
use crate::wire::{Place, Wire};

/// A dialect, as a test serves it. Bob's password is `s3cret`.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    /// Its name in dmail.conf.
    pub name: &'static str,
    /// TCP port 0 instead of a unix socket, and its options.
    options: &'static str,
    /// What a client says first, if anything.
    pub hello: &'static [u8],
    /// How the server's first words end.
    greeting: &'static [u8],
    /// A question about bob, whose number is 7 if it has one.
    pub question: &'static [u8],
    /// How the answer to it begins; what comes before says nothing.
    pub answer: &'static [u8],
    /// How it ends.
    end: &'static [u8],
    /// Whether a connection is for one question only.
    pub once: bool,
}

const VERSION: &[u8] = b"VERSION\t1\t1\n";
const LOGIN: &[u8] = b"VERSION\t1\t1\nCPID\t4242\n";

/// All of them.
pub const ALL: [Spoken; 9] = [
    Spoken {
        name: "authdaemon",
        options: "uid=5000 gid=5000 home=/var/mail",
        hello: b"",
        greeting: b"",
        question: b"AUTH 21\nimap\nlogin\nbob\ns3cret",
        answer: b"UID=5000\n",
        end: b"\n.\n",
        once: true,
    },
    Spoken {
        name: "dovecot-auth",
        options: "tempfail=code",
        hello: LOGIN,
        greeting: b"DONE\n",
        question: b"AUTH\t7\tPLAIN\tservice=smtp\tresp=AGJvYgBzM2NyZXQ=\n",
        answer: b"OK\t7\tuser=bob",
        end: b"\n",
        once: false,
    },
    Spoken {
        name: "dovecot-master",
        options: "",
        hello: VERSION,
        greeting: b"\n",
        question: b"USER\t7\tbob\tservice=lmtp\n",
        answer: b"USER\t7\tbob",
        end: b"\n",
        once: false,
    },
    Spoken {
        name: "dovecot-userdb",
        options: "",
        hello: VERSION,
        greeting: b"\n",
        question: b"USER\t7\tbob\tservice=lmtp\n",
        answer: b"USER\t7\tbob",
        end: b"\n",
        once: false,
    },
    Spoken {
        name: "policy",
        options: "",
        hello: b"",
        greeting: b"",
        question: b"request=smtpd_access_policy\nprotocol_state=RCPT\nsasl_username=bob\n\
                    sender=bob@corp.example\nrecipient=ann@far.example\nrecipient_count=0\n\n",
        answer: b"action=DUNNO",
        end: b"\n\n",
        once: false,
    },
    Spoken {
        name: "saslauthd",
        options: "",
        hello: b"",
        greeting: b"",
        question: b"\0\x03bob\0\x06s3cret\0\x04smtp\0\0",
        answer: b"\0\x02OK",
        end: b"OK",
        once: true,
    },
    Spoken {
        name: "socketmap",
        options: "",
        hello: b"",
        greeting: b"",
        question: b"25:vmailbox bob@corp.example,",
        answer: b":OK ",
        end: b",",
        once: false,
    },
    Spoken {
        name: "tcp-table",
        options: "map=vmailbox",
        hello: b"",
        greeting: b"",
        question: b"get bob@corp.example\n",
        answer: b"200 ",
        end: b"\n",
        once: false,
    },
    Spoken {
        name: "tcpauth",
        options: "",
        hello: b"",
        greeting: b"",
        question: b"check bob s3cret\n",
        answer: b"+OK bob ",
        end: b"\n",
        once: false,
    },
];

impl Spoken {
    /// The dialect of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        *ALL.iter().find(|spoken| spoken.name == name).expect("a dialect")
    }

    /// Those that are asked over TCP in these tests. The others are asked over
    /// unix sockets.
    fn is_tcp(&self) -> bool {
        matches!(self.name, "dovecot-auth" | "tcp-table")
    }

    /// The line of dmail.conf that serves it.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { name, options, .. } = self;
        let address = match self.is_tcp() {
            true => "127.0.0.1:0".to_owned(),
            false => format!("unix:{name}.sock"),
        };
        format!("dialect {name} {address} {options}").trim_end().to_owned()
    }

    /// Where it is served.
    #[must_use]
    pub fn place(&self, site: &Site, server: &Server) -> Place {
        match self.is_tcp() {
            true => Place::Tcp(server.address_of(self.name)),
            false => Place::Unix(site.home().join(format!("{}.sock", self.name))),
        }
    }

    /// A connection past the greetings of both sides.
    ///
    /// # Panics
    ///
    /// If there is none to be had.
    #[must_use]
    pub fn connect(&self, site: &Site, server: &Server) -> Wire {
        let mut wire = self.place(site, server).connect();
        self.be_greeted(&mut wire);
        wire.send(self.hello);
        wire
    }

    /// Reads the server's first words.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn be_greeted(&self, wire: &mut Wire) {
        // The VERSION and SPID lines of an account service are two of them.
        let lines = if self.greeting == b"\n" { 2 } else { 1 };
        for _ in 0..lines {
            let said = wire.until(self.greeting);
            assert!(said.ends_with(self.greeting), "{}: {said:?}", self.name);
        }
    }

    /// Asks about bob on a connection past the greetings.
    ///
    /// # Panics
    ///
    /// If the answer is another one, or none.
    pub fn ask(&self, wire: &mut Wire) {
        wire.send(self.question);
        let mut said = wire.until(self.answer);
        if !said.ends_with(self.end) {
            said.extend(wire.until(self.end));
        }
        let found = said.windows(self.answer.len()).any(|window| window == self.answer);
        assert!(found, "{}: {:?}", self.name, String::from_utf8_lossy(&said));
    }

    /// Fails if a new client is not served.
    pub fn assert_serves(&self, site: &Site, server: &Server) {
        self.ask(&mut self.connect(site, server));
    }
}

/// `site`, which speaks all of them.
#[must_use]
pub fn speaking_all(site: Site) -> Site {
    ALL.iter().fold(site, |site, spoken| site.set(&spoken.line()))
}
