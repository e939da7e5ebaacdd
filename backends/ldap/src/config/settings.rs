//! The table of `ldapauth.ini`.

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{boolean, domain, number, path, seconds, secret, word};
use dmail_core::{Domain, Secret};

use super::kinds::{attribute, dn, filter, labelled, new_attribute, template, url};
use super::{Address, Labelled, Mode, NewAttribute, Scheme, Scope, SetMethod};
use crate::template::Template;

dmail_core::settings! {
    title: "Servers";
    /// Where the directory is. Connections are kept open: some that only
    /// search, as `ldap_bind_dn`, and others that only try users' passwords.
    pub struct ServerSettings {
        /// A server of the directory: `ldap://`, `ldaps://` (TLS from the
        /// first byte) or `ldapi://` with the percent-encoded path of a Unix
        /// socket. Several lines name servers with the same content: the first
        /// one is asked as long as it answers, then the next, and the first
        /// one again when it is well.
        servers: Vec<Address> = many("ldap_server", url()),
            default: Compulsory, example: "ldap_server ldaps://ldap1.corp.example";

        /// Whether connections to `ldap://` servers are turned into TLS before
        /// anything else is said. If that fails, nothing is asked.
        starttls: bool = one("ldap_starttls", boolean()),
            default: Value("false"), example: "ldap_starttls true";

        /// The certificates (PEM) of the authorities that may have signed the
        /// servers' certificates.
        ca_file: Option<PathBuf> = optional("ldap_ca_file", path()),
            default: Nothing("the authorities that this machine trusts"),
            example: "ldap_ca_file /etc/dmail/ldap-ca.pem";

        /// The certificate (PEM, with its chain) that proves to the servers
        /// who we are, if they ask.
        client_cert: Option<PathBuf> = optional("ldap_client_cert", path()),
            default: Nothing("we show none"),
            example: "ldap_client_cert /etc/dmail/ldap-client.pem";

        /// The private key (PEM) of `ldap_client_cert`.
        client_key: Option<PathBuf> = optional("ldap_client_key", path()),
            default: Nothing("needed with `ldap_client_cert` only"),
            example: "ldap_client_key /etc/dmail/ldap-client.key";

        /// Who we are when we search and change: an entry that may read what
        /// is mapped below and, for `set` and `del`, write it. It should not
        /// be able to read passwords unless `ldap_mode` is `compare`.
        bind_dn: Option<String> = optional("ldap_bind_dn", dn()),
            default: Nothing("we search without a name"),
            example: "ldap_bind_dn cn=dmail,ou=services,dc=corp,dc=example";

        /// The password of `ldap_bind_dn`.
        bind_password: Option<Secret> = optional("ldap_bind_password", secret()),
            default: Nothing("see `ldap_bind_password_file`"),
            example: "ldap_bind_password opensesame";

        /// A file with the password of `ldap_bind_dn` as its first line.
        bind_password_file: Option<PathBuf> = optional("ldap_bind_password_file", path()),
            default: Nothing("see `ldap_bind_password`"),
            example: "ldap_bind_password_file /etc/dmail/ldap.password";

        /// How long one server may take over one question, the connection
        /// included. After that the next one is asked, and if it has answered
        /// nobody else meanwhile, it counts as down.
        timeout: Duration = one("ldap_timeout", seconds(1..=120)),
            default: Value("5"), example: "ldap_timeout 3";

        /// How many connections of each of the two kinds may be open to each
        /// server.
        connections: usize = one("ldap_connections", number(1..=1000)),
            default: Value("10"), example: "ldap_connections 32";

        /// How many questions may wait for a connection of a kind. Those
        /// beyond are told to try again later.
        queue: usize = one("ldap_queue", number(1..=1_000_000)),
            default: Value("1000"), example: "ldap_queue 200";

        /// After how long without a question a connection is not used again.
        /// It should be shorter than the servers' own idle timeout and that of
        /// any firewall in between.
        idle: Duration = one("ldap_idle", seconds(1..=86400)),
            default: Value("240"), example: "ldap_idle 1m";

        /// The longest pause between two tries to reach a server that is down.
        /// The pauses start at a tenth of a second and double.
        retry_max: Duration = one("ldap_retry_max", seconds(1..=3600)),
            default: Value("5"), example: "ldap_retry_max 30";
    }
}

dmail_core::settings! {
    title: "Finding users";
    /// How a name leads to an entry, and how its password is proved.
    pub struct UserSettings {
        /// How a password is proved. `search_bind`: find the entry, then bind
        /// as it. `bind_dn`: bind as `ldap_user_dn`, without a search, which
        /// is the fastest. `compare`: find the entry, read the stored hash and
        /// compare here; for directories that cannot bind as users.
        mode: Mode = one("ldap_mode", word(&Mode::WORDS)),
            default: Value("search_bind"), example: "ldap_mode bind_dn";

        /// The distinguished name of a user's entry, for `bind_dn`. Active
        /// Directory also takes a user principal name such as
        /// `%n@corp.example` here.
        user_dn: Option<Template> = optional("ldap_user_dn", template()),
            default: Nothing("needed by `bind_dn` only"),
            example: "ldap_user_dn uid=%n,ou=people,dc=corp,dc=example";

        /// The entry beneath which users are searched.
        base: Option<String> = optional("ldap_base", dn()),
            default: Nothing("needed for anything but a `check` with `bind_dn`"),
            example: "ldap_base ou=people,dc=corp,dc=example";

        /// How deep: `sub` for all beneath the base, `one` for its direct
        /// children, `base` for the base alone.
        scope: Scope = one("ldap_scope", word(&Scope::WORDS)),
            default: Value("sub"), example: "ldap_scope one";

        /// The attribute that holds the name of a user. It must have the name
        /// that is asked for, but for case, unless `ldap_filter` is set.
        search_name: String = one("ldap_search_name", attribute()),
            default: Value("mail"), example: "ldap_search_name uid";

        /// The object class of users.
        objectclass: String = one("ldap_objectclass", attribute()),
            default: Value("person"), example: "ldap_objectclass netwinperson";

        /// The filter that finds a user, in place of the one that is made of
        /// `ldap_objectclass` and `ldap_search_name`. If more than one entry
        /// fits, the user is refused.
        filter: Option<Template> = optional("ldap_filter", filter()),
            default: Nothing("`(&(objectClass=person)(mail=%u))`, with the two settings above"),
            example: "ldap_filter (&(objectClass=person)(|(mail=%u)(uid=%n))(!(locked=TRUE)))";

        /// The domain that is added to names without one before the directory
        /// is asked, and taken off the names that a `search` lists.
        domain: Option<Domain> = optional("ldap_domain", domain()),
            default: Nothing("names are asked as they are"),
            example: "ldap_domain corp.example";

        /// An entry of the directory that nobody logs in with. When
        /// `search_bind` finds no user, the password is tried on this entry, so
        /// that the answer takes as long as a wrong password does. It needs a
        /// password of the usual scheme, and must not be locked after
        /// failures.
        decoy_dn: Option<String> = optional("ldap_decoy_dn", dn()),
            default: Nothing("a name that does not exist is tried, which costs no hash"),
            example: "ldap_decoy_dn uid=decoy,ou=services,dc=corp,dc=example";

        /// Whether the directory is asked for the state of an account with
        /// each bind (the password policy control): a locked account or an
        /// expired password is then told from a wrong password. Servers
        /// without password policies ignore it.
        ppolicy: bool = one("ldap_ppolicy", boolean()),
            default: Value("true"), example: "ldap_ppolicy false";
    }
}

dmail_core::settings! {
    title: "What the attributes mean";
    /// What is not mapped is not read. With `bind_dn` and no attribute, a
    /// login is one question to the directory; with any, it is two.
    pub struct AttributeSettings {
        /// The full path of the drop file, or the word `config`.
        drop: Option<String> = optional("ldap_attr_drop", attribute()),
            default: Nothing("dmail.conf says where drop files are"),
            example: "ldap_attr_drop mailMessageStore";

        /// The owner of the drop file: a number, or a name of the operating
        /// system's users.
        uid: Option<String> = optional("ldap_attr_uid", attribute()),
            default: Nothing("no owner is given"), example: "ldap_attr_uid uidNumber";

        /// Where mail goes instead of the mailbox (`fwd`). Several values are
        /// joined by commas.
        forward: Option<String> = optional("ldap_attr_forward", attribute()),
            default: Nothing("the directory forwards no mail"),
            example: "ldap_attr_forward mailForwardingAddress";

        /// The limit of the mailbox (`quota`).
        quota: Option<String> = optional("ldap_attr_quota", attribute()),
            default: Nothing("the directory sets no quota"), example: "ldap_attr_quota mailQuota";

        /// The state of the account (`mailstatus`): `ok`, `suspended`,
        /// `closed` …
        status: Option<String> = optional("ldap_attr_status", attribute()),
            default: Nothing("every account counts as `ok`"),
            example: "ldap_attr_status accountStatus";

        /// Any other attribute, and the label of the info field that it is.
        info: Vec<Labelled> = many("ldap_info", labelled()),
            default: Nothing("no further info fields"), example: "ldap_info displayName name";

        /// The attribute with the stored hash: read in the mode `compare`
        /// only, and written with `ldap_set_method replace`.
        password: String = one("ldap_attr_password", attribute()),
            default: Value("userPassword"), example: "ldap_attr_password userPassword";
    }
}

dmail_core::settings! {
    title: "Changes";
    /// What `set` and `del` may do. They are made as `ldap_bind_dn`, and the
    /// directory's own access rules hold.
    pub struct ChangeSettings {
        /// Whether the directory is never written.
        readonly: bool = one("ldap_readonly", boolean()),
            default: Value("true"), example: "ldap_readonly false";

        /// How a password is changed. `exop`: the password modify operation
        /// (RFC 3062), with which the directory hashes and checks its
        /// policies. `replace`: the attribute of `ldap_attr_password` gets the
        /// text that `ldap_scheme` makes. `unicodepwd`: as Active Directory
        /// wants it, over TLS only.
        set_method: SetMethod = one("ldap_set_method", word(&SetMethod::WORDS)),
            default: Value("exop"), example: "ldap_set_method replace";

        /// The scheme for `replace`; and with `ldap_mode compare`, the scheme
        /// whose time a login of somebody takes who is not there. The directory has to know it if it is to
        /// check binds: `sha512-crypt`, `sha256-crypt`, `bcrypt` and `yescrypt`
        /// are stored as `{CRYPT}`, `argon2id` as `{ARGON2}`. `clear` stores
        /// the password itself, for directories that hash what they are given.
        scheme: Scheme = one("ldap_scheme", word(&Scheme::WORDS)),
            default: Value("sha512-crypt"), example: "ldap_scheme argon2id";

        /// The distinguished name of an entry that `set` adds for a user who
        /// is not there.
        new_dn: Option<Template> = optional("ldap_new_dn", template()),
            default: Nothing("`set` adds nobody"),
            example: "ldap_new_dn uid=%n,ou=people,dc=corp,dc=example";

        /// An object class of entries that `set` adds.
        new_objectclass: Vec<String> = many("ldap_new_objectclass", attribute()),
            default: Value("inetOrgPerson"), example: "ldap_new_objectclass inetOrgPerson";

        /// An attribute of entries that `set` adds, and its value: those that
        /// the object classes ask for. The first one of `ldap_new_dn`,
        /// `ldap_search_name` and the info fields are there anyway.
        new_attributes: Vec<NewAttribute> = many("ldap_new_attr", new_attribute()),
            default: Nothing("no further attributes"), example: "ldap_new_attr sn %n";
    }
}
