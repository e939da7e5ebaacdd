//! The settings, in the groups of the manual.

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{boolean, domain, number, path, seconds, secret, word};
use dmail_core::{Domain, Secret, Uid};

use super::value::{
    self, Address, Column, InfoField, SqlText, Table, column, info_field, login, optional_column,
    servers, statement, table, uid,
};

dmail_core::settings! {
    title: "The server";
    /// Which server has the users, and how to log in to it.
    pub struct ServerSettings {
        /// The servers, in order of preference: a comma list of `host`,
        /// `host:port`, `[IPv6 address]:port` or the path of a socket. The
        /// first one that answers is asked; as soon as an earlier one answers
        /// again, it is.
        servers: Vec<Address> = one("mysql_server", servers()),
            default: Value("localhost"),
            example: "mysql_server db1.corp.example,db2.corp.example:3307";

        /// Whom to log in as. Reading the table is all that `check`, `lookup`
        /// and `search` need.
        login: String = one("mysql_login", login()),
            default: Compulsory, example: "mysql_login dmail";

        /// The password of that login. A server account that is bound to an
        /// operating system's user (`unix_socket`) needs none.
        password: Option<Secret> = optional("mysql_password", secret()),
            default: Nothing("no password"), example: "mysql_password opensesame";

        /// The database.
        database: Column = one("mysql_mail_user_db", column()),
            default: Value("maildb"), example: "mysql_mail_user_db maildb";

        /// Whether to talk TLS with the server. A server that cannot, or whose
        /// certificate is not signed by `mysql_tls_ca` for the name in
        /// `mysql_server`, is not talked to. Sockets need none.
        tls: bool = one("mysql_tls", boolean()),
            default: Value("false"), example: "mysql_tls true";

        /// The certificates (PEM) that may sign the server's.
        tls_ca: PathBuf = one("mysql_tls_ca", path()),
            default: Value("/etc/ssl/certs/ca-certificates.crt"),
            example: "mysql_tls_ca /etc/dmail/db-ca.pem";

        /// Our own certificate (PEM), for a server that asks for one.
        tls_cert: Option<PathBuf> = optional("mysql_tls_cert", path()),
            default: Nothing("none is shown"), example: "mysql_tls_cert /etc/dmail/db.pem";

        /// The key (PEM) of `mysql_tls_cert`.
        tls_key: Option<PathBuf> = optional("mysql_tls_key", path()),
            default: Nothing("none"), example: "mysql_tls_key /etc/dmail/db.key";
    }
}

dmail_core::settings! {
    title: "The table";
    /// One row per user, as the original had it. These settings have no effect
    /// on statements of your own.
    pub struct TableSettings {
        /// The table. `other.users` is the table `users` of the database
        /// `other`.
        table: Table = one("mysql_mail_user_table", table()),
            default: Value("maildb"), example: "mysql_mail_user_table maildb";

        /// The column with the user's name. It should be the primary key, or
        /// have a unique one.
        username: Column = one("field_username", column()),
            default: Value("username"), example: "field_username username";

        /// The column with the stored password.
        password: Column = one("field_password", column()),
            default: Value("passwd"), example: "field_password passwd";

        /// The column with the address that mail is forwarded to, the info
        /// field `fwd`. `none` if there is no such column.
        forward: Option<Column> = one("field_forward", optional_column()),
            default: Value("forward"), example: "field_forward forward";

        /// The column with the mailbox's quota, the info field `quota`.
        quota: Option<Column> = one("field_quota", optional_column()),
            default: Value("none"), example: "field_quota quota";

        /// The column that says from where the user may log in: `0.0.0.0`,
        /// nothing or NULL for everywhere, `192.0.2.0` for a network (zeros at
        /// the end stand for any number), or a list of patterns as in
        /// dmail.conf. From elsewhere the right password is refused.
        mailmask: Option<Column> = one("field_mailmask", optional_column()),
            default: Value("none"), example: "field_mailmask mailmask";

        /// The column with the full path of the user's drop file. Where it is
        /// empty, NULL or `config`, dmail.conf says where the mail is.
        maildrop: Option<Column> = one("field_maildrop", optional_column()),
            default: Value("none"), example: "field_maildrop maildrop";

        /// The column with the owner of the drop file, a name or a number.
        uid: Option<Column> = one("field_uid", optional_column()),
            default: Value("none"), example: "field_uid uid";

        /// The owner of drop files whose users have none of their own.
        default_uid: Option<Uid> = optional("mysql_mail_uid", uid()),
            default: Nothing("nobody in particular"), example: "mysql_mail_uid 99";

        /// A column and the info field that it is: read by `check`, `lookup`
        /// and `search`, written by `set`.
        info_fields: Vec<InfoField> = many("info_fields", info_field()),
            default: Nothing("no further info fields"),
            example: "info_fields full_name name";

        /// What `set` does to a user that is there: changes the columns that
        /// it knows (`true`), or replaces the row, so that all other columns
        /// get their defaults (`false`).
        update: bool = one("use_sqlupdate", boolean()),
            default: Value("true"), example: "use_sqlupdate true";
    }
}

dmail_core::settings! {
    title: "Names and passwords";
    /// Passwords are never compared by the server, whose collations would let
    /// in others.
    pub struct PasswordSettings {
        /// The domain of all users of a table without domains. A name with it
        /// is looked for without it, and answers name the user with it.
        domain: Option<Domain> = optional("domain", domain()),
            default: Nothing("names are looked for as they are"),
            example: "domain corp.example";

        /// Whether `Bob` in the table is `bob`. Only A to Z count; whatever
        /// else a collation takes for the same (ß and ss, a and ä, blanks at
        /// the end) is somebody else.
        ignore_case: bool = one("names_ignore_case", boolean()),
            default: Value("true"), example: "names_ignore_case false";

        /// How `set` stores passwords. Whatever the table holds already can be
        /// read, in any scheme that `nwauth_scheme` has, and more.
        scheme: &'static str = one("password_scheme", word(&SCHEMES)),
            default: Value("argon2id"), example: "password_scheme sha512-crypt";

        /// Whether text of `*` and 40 digits is what PASSWORD() of MySQL 4.1
        /// and later made. `set` writes such text, too. Quick to guess if
        /// stolen: better with `rehash`.
        mysql_password: bool = one("mysql_pwd_set", boolean()),
            default: Value("false"), example: "mysql_pwd_set true";

        /// Whether passwords are as in a Unix password file: text that starts
        /// with `*` locks the account. `set` writes SHA-512-crypt.
        unix_password: bool = one("unix_password", boolean()),
            default: Value("false"), example: "unix_password true";

        /// Whether the column holds the passwords themselves. Whoever can read
        /// the table can log in as anybody.
        plain_password: bool = one("plain_password", boolean()),
            default: Value("false"), example: "plain_password true";

        /// Whether a user whose password is stored in a weaker way than that of
        /// `password_scheme`, or in another one as strong, has it stored anew
        /// when he logs in. If that fails, the login succeeds all the same.
        rehash: bool = one("rehash", boolean()),
            default: Value("false"), example: "rehash true";
    }
}

dmail_core::settings! {
    title: "Statements of your own";
    /// For tables that are not like the original's. Each statement is prepared
    /// by the server, and `:name` stands for a value that is sent beside it,
    /// so no name or password can change its meaning. If there is one, there
    /// is no table: what no statement serves is refused.
    ///
    /// `:user` is the whole name, `:local` and `:domain` its parts before and
    /// after the last `@` (`:domain` is that of `domain` if there is none).
    /// What a column of the result is depends on its name (`AS` gives it one):
    /// `username`, `password`, `forward`, `quota`, `mailmask`, `maildrop` and
    /// `uid`; all others are info fields.
    pub struct StatementSettings {
        /// Finds a user for a login. It must return the columns `username` and
        /// `password`. `:client` is the client's address, or NULL.
        check: Option<SqlText> = optional("query_check", statement(&value::CHECK)),
            default: Nothing("the table is read"),
            example: "query_check SELECT login AS username, hash AS password FROM users WHERE login = :user";

        /// Finds a user without a password: it must return the column
        /// `username`.
        lookup: Option<SqlText> = optional("query_lookup", statement(&value::LOOKUP)),
            default: Nothing("that of `query_check` is used"),
            example: "query_lookup SELECT login AS username, quota FROM users WHERE login = :user";

        /// Adds or changes a user. `:password` is the hashed password, or NULL
        /// to keep the old one; `:set_info` is 1 if the info fields are to be
        /// changed, which are `:forward`, `:quota` and `:info_LABEL`, or
        /// `:info` for all in one text. If no row is touched, there is no such
        /// user.
        set: Option<SqlText> = optional("query_set", statement(&value::SET)),
            default: Nothing("`set` is refused"),
            example: "query_set UPDATE users SET hash = COALESCE(:password, hash) WHERE login = :user";

        /// Removes a user.
        del: Option<SqlText> = optional("query_del", statement(&value::DEL)),
            default: Nothing("`del` is refused"),
            example: "query_del DELETE FROM users WHERE login = :user";

        /// Lists users: returns the column `username`. `:pattern` is for LIKE
        /// with `|` as the escape. All that is returned is looked at again, so
        /// it may return too much.
        search: Option<SqlText> = optional("query_search", statement(&value::SEARCH)),
            default: Nothing("`search` is refused"),
            example: "query_search SELECT login AS username FROM users WHERE login LIKE :pattern ESCAPE '|'";
    }
}

dmail_core::settings! {
    title: "Connections";
    /// Connections are kept open, and each answers one question at a time.
    pub struct ConnectionSettings {
        /// Most connections to one server.
        max: usize = one("mysql_connections", number(1..=1000)),
            default: Value("10"), example: "mysql_connections 20";

        /// How many connections to each server are kept open even when there
        /// is nothing to do.
        min: usize = one("mysql_connections_min", number(0..=1000)),
            default: Value("1"), example: "mysql_connections_min 2";

        /// How many questions may wait for a connection. Those beyond are told
        /// to try again later.
        queue: usize = one("mysql_queue", number(0..=1_000_000)),
            default: Value("1000"), example: "mysql_queue 200";

        /// How long a question may wait for a connection.
        wait: Duration = one("mysql_wait", seconds(1..=60)),
            default: Value("3"), example: "mysql_wait 2";

        /// How long a new connection may take, with TLS and login.
        connect: Duration = one("mysql_connect_timeout", seconds(1..=60)),
            default: Value("3"), example: "mysql_connect_timeout 2";

        /// How long a question may take in all. The server is told as well, so
        /// that it does not work on what nobody waits for.
        timeout: Duration = one("mysql_timeout", seconds(1..=600)),
            default: Value("5"), example: "mysql_timeout 3";

        /// How long one page of a list (`search`, export) may take.
        list_timeout: Duration = one("mysql_list_timeout", seconds(1..=3600)),
            default: Value("60"), example: "mysql_list_timeout 5m";

        /// How long a connection may be idle. Longer than that, a firewall may
        /// have forgotten it.
        idle: Duration = one("mysql_idle", seconds(5..=86400)),
            default: Value("300"), example: "mysql_idle 60";

        /// Whether changes may go to any server (a Galera cluster). If not,
        /// they go to the first one or nowhere, as the others are its copies.
        write_any: bool = one("mysql_write_any", boolean()),
            default: Value("false"), example: "mysql_write_any true";
    }
}

/// The schemes that may be written: `dmail_schemes` knows them by these names.
const SCHEMES: [(&str, &str); 10] = [
    ("argon2id", "argon2id"),
    ("bcrypt", "bcrypt"),
    ("sha512-crypt", "sha512-crypt"),
    ("sha256-crypt", "sha256-crypt"),
    ("yescrypt", "yescrypt"),
    ("scram-sha-256", "scram-sha-256"),
    ("scram-sha-1", "scram-sha-1"),
    ("ssha512", "ssha512"),
    ("ssha256", "ssha256"),
    ("ssha", "ssha"),
];
