//! `tcpauthsvr.conf`: where the daemon listens, whom it answers, what it asks.

mod load;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{
    addresses, boolean, domain, listen_on, milliseconds, number, path, seconds, secret, word,
};
use dmail_core::config::{
    CacheSettings, ListenOn, LogLevel, ModuleSettings, NwauthSettings, Vocabulary,
};
use dmail_core::pattern::AddressList;
use dmail_core::{Domain, Secret};
use dmail_net::Limits;

pub use load::load_daemon;

use super::introduction;
use super::kind::{SourceWords, source};
use super::server_tls::ServerTls;
use crate::server::Config;

dmail_core::settings! {
    title: "Where it listens";
    /// The daemon may listen in several places.
    pub struct ListenSettings {
        /// An address and a port, or a unix socket. The file of a socket gets
        /// the mode `600` and belongs to the user that the daemon runs as,
        /// unless `mode=` and `owner=` say otherwise; they decide who on this
        /// machine may ask.
        listen: Vec<ListenOn> = many("listen", listen_on("listen")),
            default: Compulsory,
            example: "listen unix:/run/dmail/auth.sock mode=660 owner=dmail:mail";

        /// How many connections there may be at the same time.
        connections: usize = one("max_connections", number(1..=1_000_000)),
            default: Value("1000"), example: "max_connections 5000";

        /// How many of them may come from one address. 0 is no limit. A unix
        /// socket has none.
        per_client: usize = one("max_connections_per_ip", number(0..=1_000_000)),
            default: Value("100"), example: "max_connections_per_ip 20";

        /// How many questions of one connection may be under way. More are
        /// read when some of them are answered.
        outstanding: usize = one("outstanding", number(1..=100_000)),
            default: Value("1000"), example: "outstanding 100";

        /// A client of the first version that says nothing for so long is
        /// closed. One of the second version says how often it is heard of.
        idle: Duration = one("idle_timeout", seconds(10..=86400)),
            default: Value("1h"), example: "idle_timeout 10m";

        /// How long questions that are under way may go on when the daemon is
        /// asked to stop.
        drain_timeout: Duration = one("drain_timeout", seconds(0..=3600)),
            default: Value("10"), example: "drain_timeout 30";
    }
}

dmail_core::settings! {
    title: "Whom it answers";
    /// An address can be lied about by somebody near. Beyond a network of
    /// ours, use TLS, and a shared secret or client certificates.
    pub struct GuardSettings {
        /// Who may ask over TCP. Everybody else is closed without a word.
        allow: Vec<AddressList> = many("allow", addresses()),
            default: Value("127.0.0.0/8,::1"), example: "allow 192.0.2.0/28,2001:db8::/64";

        /// Who may `set` and `del`. Over TCP the client must have proved the
        /// `shared_secret`, or have shown a certificate. Clients on a unix
        /// socket count as 127.0.0.1.
        allow_changes: Vec<AddressList> = many("allow_changes", addresses()),
            default: Nothing("nobody"), example: "allow_changes 127.0.0.1,192.0.2.3";

        /// A secret that clients over TCP must prove to know. It is never sent.
        /// Clients of the first version cannot, and are not answered then.
        secret: Option<Secret> = optional("shared_secret", secret()),
            default: Nothing("nothing has to be proved"),
            example: "shared_secret correct-horse-battery-staple";

        /// The certificate of the daemon and those of its authorities, as PEM.
        /// With it, TCP is served with TLS only. After a renewal send SIGHUP:
        /// new clients are shown the new one.
        certificate: Option<PathBuf> = optional("tls_certificate", path()),
            default: Nothing("no TLS, passwords are sent in clear text"),
            example: "tls_certificate /etc/dmail/auth.pem";

        /// The private key of `tls_certificate`, as PEM.
        key: Option<PathBuf> = optional("tls_key", path()),
            default: Nothing("needed by `tls_certificate`"),
            example: "tls_key /etc/dmail/auth.key";

        /// The authorities that certificates of clients may come from, as PEM.
        client_ca: Option<PathBuf> = optional("tls_client_ca", path()),
            default: Nothing("clients are not asked for a certificate"),
            example: "tls_client_ca /etc/dmail/nodes-ca.pem";

        /// Whether a client without such a certificate is refused.
        require_certificate: bool = one("require_client_certificate", boolean()),
            default: Value("false"), example: "require_client_certificate true";

        /// Whether clients of the first version are answered: the line protocol
        /// of modules.
        plain: bool = one("plain", boolean()), default: Value("true"), example: "plain false";

        /// Whether clients of the first version write percent-encoded arguments.
        plain_quote: bool = one("plain_quote", boolean()),
            default: Value("false"), example: "plain_quote true";
    }
}

dmail_core::settings! {
    title: "What it asks";
    /// Either `authent_process` or `source`.
    pub struct BaseSettings {
        /// A user base that is built in, as `authent_method` in dmail.conf
        /// calls it, and the file of its settings (of `nwauth`: its folder).
        source: Option<SourceWords> = optional("source", source()),
            default: Nothing("`authent_process` is asked"),
            example: "source ldap /etc/dmail/ldapauth.ini";

        /// A domain that the module may append to a name, or leave off.
        domains: Vec<Domain> = many("host_domain", domain()),
            default: Nothing("names are answered as they were asked"),
            example: "host_domain corp.example";

        /// The other daemons in front of the same user base, as a file that is
        /// written as `tcpauth.ini` is. What is changed through them is
        /// forgotten here at once.
        peers: Option<PathBuf> = optional("peers", path()),
            default: Nothing("this is the only daemon"), example: "peers /etc/dmail/peers.ini";
    }
}

dmail_core::settings! {
    title: "Folders and log";
    /// All events are in one file, `tcpauthsvr.log`.
    pub struct LogSettings {
        /// The folder of user files and of settings files that are not named.
        /// `.` is the folder of this file.
        dsmtp_path: PathBuf = one("dsmtp_path", path()),
            default: Value("."), example: "dsmtp_path /etc/dmail";

        /// The folder of the log.
        log_path: Option<PathBuf> = optional("log_path", path()),
            default: Nothing("events go to standard error"),
            example: "log_path /var/log/dmail";

        /// How much is logged: `error`, `warn`, `info`, `debug`.
        log_level: LogLevel = one("log_level", word(&LogLevel::WORDS)),
            default: Value("info"), example: "log_level debug";

        /// How long a line may wait for others, in milliseconds: lines of the
        /// same moment are written together, warnings and errors at once.
        log_delay: Duration = one("log_delay", milliseconds(0..=1000)),
            default: Value("20"), example: "log_delay 0";
    }
}

/// The vocabulary of `tcpauthsvr.conf`.
pub const TCPAUTHSVR_CONF: Vocabulary = Vocabulary {
    file: "tcpauthsvr.conf",
    introduction: introduction!(
        "`tcpauthsvr.conf` is what the daemon `dmail tcpauthsvr` is started with. Changes take \
         effect at a restart; SIGHUP opens the log anew and reads the certificate and its key \
         again.\n"
    ),
    groups: &[
        ListenSettings::GROUP,
        GuardSettings::GROUP,
        BaseSettings::GROUP,
        ModuleSettings::GROUP,
        CacheSettings::GROUP,
        NwauthSettings::GROUP,
        LogSettings::GROUP,
    ],
    not_used: &[],
};

/// Everything that `tcpauthsvr.conf` says.
#[derive(Clone)]
pub struct DaemonSettings {
    /// Where it listens.
    pub listen: ListenSettings,
    /// Whom it answers.
    pub guard: GuardSettings,
    /// What it asks.
    pub base: BaseSettings,
    /// The module, if that is what it asks.
    pub module: ModuleSettings,
    /// How long answers are remembered.
    pub cache: CacheSettings,
    /// The NWAuth user base.
    pub nwauth: NwauthSettings,
    /// Folders and log.
    pub log: LogSettings,
    /// TLS, for the TCP sockets.
    pub tls: Option<ServerTls>,
}

impl DaemonSettings {
    /// What the daemon is made from.
    #[must_use]
    pub fn config(&self) -> Config {
        let (listen, guard) = (&self.listen, &self.guard);
        let includes = |lists: &[AddressList]| {
            let lists = lists.to_vec();
            Arc::new(move |address: IpAddr| lists.iter().any(|list| list.includes(address)))
        };
        let per_client = if listen.per_client == 0 { usize::MAX } else { listen.per_client };
        Config {
            allow: includes(&guard.allow),
            changes: includes(&guard.allow_changes),
            limits: Limits { connections: listen.connections, per_client },
            idle: listen.idle,
            outstanding: listen.outstanding,
            plain: guard.plain,
            quoting: Quoting { utf8: true, percent: guard.plain_quote },
            secret: guard.secret.clone(),
        }
    }
}
