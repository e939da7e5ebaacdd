//! The table of `oauth2.ini`.

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::Domain;
use dmail_core::config::Unset::{Nothing, Value};
use dmail_core::config::value::{domain, number, path, seconds, text, word, words};

use super::Introspect;
use super::kinds::{NamedFile, PUBLIC, blanks, named_file, token_text, url};
use crate::keys::Algorithm;
use crate::web::Url;

dmail_core::settings! {
    title: "What a token has to say";
    /// The user base of `authent_method oauth2`, and of a module of
    /// multiauth.ini with `source oauth2` and `role verify`: whose a token is.
    pub struct ClaimSettings {
        /// The issuer, exactly as its tokens have it in `iss`; several lines
        /// for several. A token of anybody else is not for this module: a
        /// chain asks the next one.
        issuer: Vec<String> = many("issuer", token_text()),
            default: Nothing("any issuer whose keys these are"),
            example: "issuer https://id.corp.example/realms/staff";

        /// A token must be meant for one of these (`aud`). Without it, tokens
        /// that the issuer has given to other applications log in here, too.
        audience: Vec<String> = many("audience", token_text()),
            default: Nothing("tokens for anybody"), example: "audience dmail";

        /// The scopes that a token must have, all of them, with blanks between
        /// them. Clients whose token is refused are told them.
        scope: Option<Vec<String>> = optional("scope", blanks()),
            default: Nothing("none is needed"), example: "scope email mail";

        /// The claim that names the user: `email`, `preferred_username`, `sub`
        /// and so on. It must name the user who logs in, as the same login
        /// name would (see `host_domain`, `vdomain` in dmail.conf); the address
        /// that the client has come to does not count for it. An `email` that
        /// the issuer calls not verified names nobody. Take no claim that users
        /// can change themselves.
        user_claim: String = one("user_claim", token_text()),
            default: Value("email"), example: "user_claim preferred_username";

        /// The domain of names without `@`.
        domain: Option<Domain> = optional("domain", domain()),
            default: Nothing("they are logins as they are"),
            example: "domain corp.example";

        /// How far the issuer's clock may differ from ours.
        leeway: Duration = one("leeway", seconds(0..=600)),
            default: Value("60"), example: "leeway 10";
    }
}

dmail_core::settings! {
    title: "Keys";
    /// With keys of the issuer's, signed tokens (JWT) are judged here, and
    /// nobody is asked about them. A key is used for what it is and for nothing
    /// else; unsigned tokens are never taken.
    pub struct KeySettings {
        /// The address of the issuer's list of keys (JWK Set); `jwks_uri` in
        /// its OpenID configuration. It is fetched at the start, and again
        /// when a token names a key that is not in it. While the issuer cannot
        /// be reached, the keys that are known go on.
        jwks_url: Option<Url> = optional("jwks_url", url()),
            default: Nothing("no list is fetched"),
            example: "jwks_url https://id.corp.example/realms/staff/protocol/openid-connect/certs";

        /// How often the list is fetched anew. A key that the issuer has taken
        /// out of it counts no longer than this.
        jwks_refresh: Duration = one("jwks_refresh", seconds(60..=86400)),
            default: Value("3600"), example: "jwks_refresh 10m";

        /// A list of keys in a file.
        jwks_file: Option<PathBuf> = optional("jwks_file", path()),
            default: Nothing("there is none"), example: "jwks_file /etc/dmail/jwks.json";

        /// A public key: its name (`kid`), or `*` for tokens of any name and of
        /// none, and a file with the key in PEM.
        key: Vec<NamedFile> = many("key", named_file()),
            default: Nothing("there is none"), example: "key 2024-a /etc/dmail/issuer.pem";

        /// A key that the issuer has, too (HS256, HS384, HS512): its name or
        /// `*`, and a file with the key in its first line, as it is or as
        /// `base64:…`. Whoever reads the file can make tokens.
        shared_key: Vec<NamedFile> = many("shared_key", named_file()),
            default: Nothing("there is none"),
            example: "shared_key * /etc/dmail/issuer.key";

        /// The algorithms that public keys may be used by.
        algorithms: Vec<Algorithm> = one("algorithms", words(&PUBLIC)),
            default: Value("EdDSA,ES256,ES384,ES512,PS256,PS384,PS512,RS256,RS384,RS512"),
            example: "algorithms ES256,RS256";
    }
}

dmail_core::settings! {
    title: "Asking the issuer";
    /// Tokens that are not signed are texts that only the issuer understands:
    /// it is asked whether one counts (introspection, RFC 7662).
    pub struct AskSettings {
        /// Where it is asked.
        introspection_url: Option<Url> = optional("introspection_url", url()),
            default: Nothing("nobody is asked"),
            example: "introspection_url https://id.corp.example/oauth2/introspect";

        /// Which tokens it is asked about: `opaque`, those that cannot be
        /// judged by keys; or `all`, also signed ones, so that one that was
        /// revoked does not count any more.
        introspect: Introspect = one("introspect", word(&super::INTROSPECT)),
            default: Value("opaque"), example: "introspect all";

        /// Who we are to the issuer.
        client_id: Option<String> = optional("client_id", text(255)),
            default: Nothing("we say nothing of that"), example: "client_id dmail";

        /// A file with the password of `client_id` in its first line.
        client_secret_file: Option<PathBuf> = optional("client_secret_file", path()),
            default: Nothing("needed by `client_id`"),
            example: "client_secret_file /etc/dmail/oauth2.secret";

        /// A file with a token of ours in its first line, for an issuer that
        /// wants one in place of a name and password.
        bearer_file: Option<PathBuf> = optional("bearer_file", path()),
            default: Nothing("we show none"),
            example: "bearer_file /etc/dmail/oauth2.bearer";

        /// How long a token that the issuer has called good is taken without
        /// asking again, but never after it expires. A token that is revoked
        /// may live on for this long, unless its user is forgotten (`doveadm
        /// auth cache flush`, with `dialect dovecot-master`). 0 asks every time.
        remember: Duration = one("remember", seconds(0..=3600)),
            default: Value("60"), example: "remember 0";
    }
}

dmail_core::settings! {
    title: "Connections";
    /// How the issuer is reached. Redirects are not followed.
    pub struct WebSettings {
        /// The certificates of the authorities that the issuer's certificate
        /// may come from, as PEM.
        ca_file: Option<PathBuf> = optional("ca_file", path()),
            default: Nothing("those that this machine trusts"),
            example: "ca_file /etc/dmail/ca.pem";

        /// How long an answer may take. After that the client is told to try
        /// again later.
        timeout: Duration = one("timeout", seconds(1..=60)),
            default: Value("5"), example: "timeout 2";

        /// How many questions may be under way at a time. Others wait for
        /// their turn, within the timeout.
        connections: usize = one("connections", number(1..=1000)),
            default: Value("16"), example: "connections 4";

        /// The address of the issuer's OpenID configuration. Clients whose
        /// token is refused are told it (RFC 7628), and some get a new token
        /// there.
        openid_configuration: Option<Url> = optional("openid_configuration", url()),
            default: Nothing("clients are not told"),
            example: "openid_configuration https://id.corp.example/.well-known/openid-configuration";
    }
}
