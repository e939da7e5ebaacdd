//! The dialects: what each is called, and who speaks it.

use super::super::value::Fault;
use super::http::{AuthHttpWords, HttpWords};
use super::options::Options;
use super::words::{self, AccountWords, Dialect};

/// A dialect, as the manual shows it.
pub struct DialectRow {
    /// Its name.
    pub name: &'static str,
    /// Who speaks it.
    pub spoken_by: &'static str,
    /// A line to copy.
    pub example: &'static str,
    /// Takes what is the dialect's own.
    pub(super) read: fn(&mut Options<'_>) -> Result<Dialect, Fault>,
}

/// The dialects, by their names.
pub const DIALECTS: &[DialectRow] = &[
    DialectRow {
        name: "auth-http",
        spoken_by: "nginx's mail proxy (`auth_http`)",
        example: "dialect auth-http 127.0.0.1:7080 imap=127.0.0.1:143 pop3=127.0.0.1:110 \
                  smtp=127.0.0.1:25",
        read: |options| AuthHttpWords::take(options).map(Dialect::AuthHttp),
    },
    DialectRow {
        name: "auth-policy",
        spoken_by: "Dovecot (`auth_policy_server_url`), clients of weakforced",
        example: "dialect auth-policy 127.0.0.1:7081 secret_file=policy.secret",
        read: |options| HttpWords::take(options).map(Dialect::AuthPolicy),
    },
    DialectRow {
        name: "authdaemon",
        spoken_by: "Courier (authdaemond's socket), Cyrus SASL (`authdaemond`)",
        example: "dialect authdaemon unix:authdaemon.sock group=courier mode=660 \
                  uid=5000 gid=5000 home=/var/mail",
        read: |options| AccountWords::take(options).map(Dialect::Authdaemon),
    },
    DialectRow {
        name: "dovecot-auth",
        spoken_by: "Postfix (`smtpd_sasl_type = dovecot`), Exim (`driver = dovecot`), Dovecot's \
                    login processes",
        example: "dialect dovecot-auth unix:/var/spool/postfix/private/dmail mode=660 \
                  group=postfix",
        read: words::logins,
    },
    DialectRow {
        name: "dovecot-master",
        spoken_by: "Dovecot's mail processes, which take up the logins of `dovecot-auth`, and \
                    `doveadm auth cache flush`",
        example: "dialect dovecot-master unix:master.sock mode=660 group=dovecot uid=5000 gid=5000",
        read: |options| words::userdb(options, true),
    },
    DialectRow {
        name: "dovecot-userdb",
        spoken_by: "Dovecot's LMTP, LDA and `doveadm user`",
        example: "dialect dovecot-userdb unix:userdb.sock mode=660 group=dovecot",
        read: |options| words::userdb(options, false),
    },
    DialectRow {
        name: "http",
        spoken_by: "scripts and programs (`POST /v1/check`)",
        example: "dialect http 127.0.0.1:7082 secret_file=http.secret",
        read: |options| HttpWords::take(options).map(Dialect::Http),
    },
    DialectRow {
        name: "policy",
        spoken_by: "Postfix (`check_policy_service`)",
        example: "dialect policy unix:/var/spool/postfix/private/policy mode=660 group=postfix",
        read: |_| Ok(Dialect::Policy),
    },
    DialectRow {
        name: "saslauthd",
        spoken_by: "Cyrus SASL (`pwcheck_method: saslauthd`), OpenLDAP's `{SASL}`, Exim's \
                    `saslauthd` condition",
        example: "dialect saslauthd unix:/run/saslauthd/mux mode=660 group=sasl",
        read: |_| Ok(Dialect::Saslauthd),
    },
    DialectRow {
        name: "socketmap",
        spoken_by: "Postfix (`socketmap:` tables), sendmail",
        example: "dialect socketmap unix:/var/spool/postfix/private/maps mode=660 group=postfix",
        read: words::maps,
    },
    DialectRow {
        name: "tcp-table",
        spoken_by: "Postfix (`tcp:` tables)",
        example: "dialect tcp-table 127.0.0.1:7026 map=valias",
        read: words::one_map,
    },
    DialectRow {
        name: "tcpauth",
        spoken_by: "programs of ours: `authent_method tcpauth`, and the dialects on standard input",
        example: "dialect tcpauth unix:tcpauth.sock",
        read: words::programs,
    },
];
