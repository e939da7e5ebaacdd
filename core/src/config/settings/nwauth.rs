//! The NWAuth user base.

use std::path::PathBuf;

use super::super::table::Unset::{Nothing, SameAs, Value};
use super::super::value::{boolean, path, size, word};

crate::settings! {
    title: "NWAuth";
    /// The user base of `authent_method nwauth`: the file `nwauth.txt` and its
    /// journal `nwauth.add`.
    pub struct NwauthSettings {
        /// The folder of the files.
        path: PathBuf = one("nwauth_path", path()),
            default: SameAs("dsmtp_path"), example: "nwauth_path /etc/dmail";

        /// Whether the files are never written: for all machines of a cluster
        /// but one.
        readonly: bool = one("nwauth_readonly", boolean()),
            default: Value("false"), example: "nwauth_readonly true";

        /// The size at which the journal is merged into `nwauth.txt`.
        size: Option<u64> = optional("nwauth_size", size(1024..=1 << 30)),
            default: Nothing("200K, or a 32nd of `nwauth.txt` if that is more"),
            example: "nwauth_size 1M";

        /// How new passwords are hashed. Whatever the files hold already can
        /// be read.
        scheme: &'static str = one("nwauth_scheme", word(&SCHEMES)),
            default: Value("argon2id"), example: "nwauth_scheme sha512-crypt";

        /// Whether a password that is stored weaker than `nwauth_scheme` would
        /// (another scheme, or a lower cost) is stored anew when its user logs
        /// in. A DES hash counts only the first eight characters of a password;
        /// afterwards all of them count.
        rehash: bool = one("nwauth_rehash", boolean()),
            default: Value("false"), example: "nwauth_rehash true";
    }
}

/// The password schemes that may be written. Each is its own meaning: the
/// backend knows them by these names.
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
