//! An issuer of OAuth 2.0 tokens: it signs them, publishes its key, and says of
//! others whether they count. Its server is Python's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use tempfile::TempDir;

use crate::authority::Certificate;
use crate::base64;
use crate::process::Process;
use crate::wait;

/// Arguments: folder, and certificate and key for TLS. `jwks` in the folder is
/// what it publishes, `active/TOKEN` what it says of a token, `mood` how it is
/// disturbed, `asked` the paths that it was asked for; `port` is its port.
const SERVER: &str = r#"
import http.server, os, ssl, sys, time, urllib.parse
folder = sys.argv[1]

class Issuer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.answer(open(folder + '/jwks', 'rb').read())

    def do_POST(self):
        form = self.rfile.read(int(self.headers['Content-Length'])).decode()
        if self.headers['Authorization'] != 'Basic ZG1haWw6b3BlbnNlc2FtZQ==':
            return self.answer(b'{}', 401)
        token = urllib.parse.parse_qs(form)['token'][0]
        path = folder + '/active/' + token.replace('/', '_')
        known = os.path.exists(path)
        self.answer(open(path, 'rb').read() if known else b'{"active": false}')

    def answer(self, body, status=200):
        mood = open(folder + '/mood').read()
        with open(folder + '/asked', 'a') as asked:
            asked.write(self.path + '\n')
        if mood == 'hangs':
            time.sleep(3600)
        elif mood == 'dead':
            self.close_connection = True
            return
        elif mood == 'fails':
            body, status = b'{"active": false}', 500
        elif mood == 'garbage':
            body = b'<html>Log in</html>'
        elif mood == 'huge':
            body = b' ' * 1000000 + body
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Issuer)
server.daemon_threads = True
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(folder + '/new', 'w') as port:
    port.write(str(server.server_port))
os.rename(folder + '/new', folder + '/port')
server.serve_forever()
"#;

/// An issuer whose client we are, with the name `dmail` and the password
/// `opensesame`.
#[derive(Debug)]
pub struct Issuer {
    folder: TempDir,
    process: Option<Process>,
    key: KeyPair,
    url: String,
}

impl Issuer {
    /// One that serves, over TLS if it has a certificate.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(tls: Option<&Certificate>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("active")).expect("a folder");
        fs::write(path("mood"), "").expect("room");
        let x = url_safe(key.der_bytes());
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","x":"{x}"}}"#);
        fs::write(path("jwks"), format!(r#"{{"keys":[{jwk}]}}"#)).expect("room");
        let mut python = Command::new("python3");
        python.args(["-c", SERVER]).arg(folder.path());
        if let Some(tls) = tls {
            python.args([&tls.certificate, &tls.key]);
        }
        let mut process = Process::start(python, folder.path());
        process.until("the issuer serves", |_| path("port").exists());
        let port = fs::read_to_string(path("port")).expect("a port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}");
        Self { folder, process: Some(process), key, url }
    }

    /// Where it serves: `jwks` and `introspect` are below.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file of its keys.
    #[must_use]
    pub fn jwks(&self) -> PathBuf {
        self.folder.path().join("jwks")
    }

    /// A signed token with these claims, as JSON without braces, of
    /// `https://id.example`. It is good for an hour.
    #[must_use]
    pub fn token(&self, claims: &str) -> String {
        self.token_until(now() + 3600, claims)
    }

    /// The same for another time.
    ///
    /// # Panics
    ///
    /// If it cannot be signed.
    #[must_use]
    pub fn token_until(&self, expires: u64, claims: &str) -> String {
        let header = url_safe(r#"{"alg":"EdDSA","kid":"1","typ":"at+jwt"}"#);
        let claims = format!(r#"{{"iss":"https://id.example","exp":{expires},{claims}}}"#);
        let signed = format!("{header}.{}", url_safe(claims));
        let signature = self.key.sign(signed.as_bytes()).expect("signed");
        format!("{signed}.{}", url_safe(signature))
    }

    /// From now on, it says this of a token that is not signed.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    pub fn says(&self, token: &str, json: &str) {
        let file = self.folder.path().join("active").join(token.replace('/', "_"));
        fs::write(file, json).expect("room");
    }

    /// From now on, it `hangs`, is `dead`, `fails`, answers `garbage` or
    /// something `huge`; or nothing of that.
    ///
    /// # Panics
    ///
    /// If there is no room for the word.
    pub fn spoil(&self, how: &str) {
        let new = self.folder.path().join("mood.new");
        let whole = fs::write(&new, how);
        whole.and_then(|()| fs::rename(&new, self.folder.path().join("mood"))).expect("room");
    }

    /// How often it was asked for this path.
    #[must_use]
    pub fn asked(&self, path: &str) -> usize {
        let asked = fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        asked.lines().filter(|line| *line == path).count()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.process = None;
        let address = self.url.rsplit('/').next().unwrap_or_default().to_owned();
        wait::until("nobody is there", || std::net::TcpStream::connect(&address).is_err());
    }
}

/// Seconds since 1970.
///
/// # Panics
///
/// If the clock is before that.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs()
}

/// What a token is written in.
fn url_safe(bytes: impl AsRef<[u8]>) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// Lines of a page, with the files of `folder` in the place of `/etc/dmail`.
#[must_use]
pub fn here(lines: &str, folder: &Path) -> String {
    lines.replace("/etc/dmail", &folder.display().to_string())
}
