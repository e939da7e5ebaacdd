//! nginx's mail proxy in front of DPOP, DSMTP and a small IMAP server: by the
//! lines of docs/integrations/nginx.md, with a user base that is there, dead,
//! slow, and now this, now that.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use dmail_tests::base64;
use dmail_tests::client::Client;
use dmail_tests::integration;
use dmail_tests::peer::nginx::Nginx;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

const SECRET: &str = "correct-horse-battery-staple";

/// An nginx in front of a site, by the lines of the page.
struct Proxied {
    nginx: Nginx,
    server: Server,
}

/// Starts a site behind an nginx, and with it the IMAP server at `imap`.
fn start(site: &mut Option<Site>, imap: SocketAddr) -> Proxied {
    let taken = site.take().expect("a site").unset("pop_port").unset("smtp_port");
    let [pop, smtp] = [free_port(), free_port()];
    let mut behind =
        taken.set(&format!("pop_port 127.0.0.1:{pop}")).set(&format!("smtp_port 127.0.0.1:{smtp}"));
    fs::write(behind.home().join("auth-http.secret"), format!("{SECRET}\n")).expect("room");
    for line in integration::lines("nginx", "dmail.conf").lines() {
        let line = line
            .replace("127.0.0.1:7080", "127.0.0.1:0")
            .replace("127.0.0.1:110", &format!("127.0.0.1:{pop}"))
            .replace("127.0.0.1:25", &format!("127.0.0.1:{smtp}"))
            .replace("127.0.0.1:143", &imap.to_string());
        behind = behind.set(&line);
    }
    let server = behind.serve();
    *site = Some(behind);
    let nginx = Nginx::start(&nginx_conf(&server, SECRET));
    Proxied { nginx, server }
}

fn nginx_conf(server: &Server, secret: &str) -> String {
    integration::lines("nginx", "nginx.conf")
        .replace("127.0.0.1:7080", &server.dialect("auth-http").to_string())
        .replace("SECRET", secret)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The next line that `client` reads.
fn line(client: &mut Client) -> String {
    client.try_line().expect("a line")
}

impl Proxied {
    fn pop(&self) -> Client {
        let mut client = Client::connect(self.nginx.address(0));
        client.expect("+OK ");
        client
    }

    fn imap(&self) -> Client {
        let mut client = Client::connect(self.nginx.address(1));
        line(&mut client);
        client
    }

    fn smtp(&self) -> Client {
        let mut client = Client::connect(self.nginx.address(2));
        client.expect("220 ");
        client.ask("EHLO client.example", "250 ");
        client
    }

    /// The answers to a login over POP3, IMAP and SMTP.
    fn answers(&self, user: &str, password: &str) -> [String; 3] {
        let mut pop = self.pop();
        pop.ask(&format!("USER {user}"), "+OK");
        pop.send(&format!("PASS {password}"));
        let mut imap = self.imap();
        imap.send(&format!("a LOGIN {user} {password}"));
        let mut smtp = self.smtp();
        smtp.send(&format!("AUTH PLAIN {}", base64::plain(user, password)));
        [line(&mut pop), line(&mut imap), line(&mut smtp)]
    }

    fn expect(&self, user: &str, password: &str, starts: [&str; 3]) {
        let answers = self.answers(user, password);
        for (answer, start) in answers.iter().zip(starts) {
            assert!(answer.starts_with(start), "{user}: {answers:?}\n{}", self.nginx.log());
        }
    }
}

const YES: [&str; 3] = ["+OK ", "a OK ", "235 "];
const NO: [&str; 3] = ["-ERR [AUTH] ", "a NO [AUTHENTICATIONFAILED] ", "535 5.7.8 "];
const LATER: [&str; 3] = ["-ERR [SYS/TEMP] ", "a NO [UNAVAILABLE] ", "454 4.7.0 "];

/// An IMAP server that lets everybody in, and tells whom and with what.
fn imap_server() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("ours"));
                let mut stream = stream;
                let _ = stream.write_all(b"* OK ready\r\n");
                let mut login = String::new();
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
                    login.push_str(&line);
                    // nginx sends the name and the password as literals.
                    let answer: &[u8] = match line.trim_end().ends_with('}') {
                        true => b"+ go on\r\n",
                        false => {
                            let _ = tell.send(std::mem::take(&mut login));
                            b"a OK you are in\r\n"
                        }
                    };
                    line.clear();
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

#[test]
fn a_login_goes_through_to_the_server_of_its_protocol() {
    let (imap, told) = imap_server();
    let site = Site::nwauth().user("bob", "a b+%s3cret\u{e9}").user("ann", "pw");
    let mut site = Some(site);
    let proxied = start(&mut site, imap);
    let password = "a b+%s3cret\u{e9}";

    let mut pop = proxied.pop();
    pop.ask("USER bob", "+OK");
    pop.ask(&format!("PASS {password}"), "+OK bob has 0 messages");
    pop.ask("STAT", "+OK 0 0");

    let mut smtp = proxied.smtp();
    smtp.ask(&format!("AUTH PLAIN {}", base64::plain("bob", password)), "235 ");
    // DSMTP behind the proxy knows who it is.
    smtp.ask("AUTH PLAIN", "503 ");
    smtp.ask("MAIL FROM:<bob@corp.example>", "250 ");
    smtp.ask("RCPT TO:<ann@corp.example>", "250 ");

    let mut client = proxied.imap();
    client.send("a LOGIN ann pw");
    assert!(line(&mut client).starts_with("a OK"), "{}", proxied.nginx.log());
    let login = told.recv_timeout(wait::PATIENCE).expect("a login");
    assert!(login.contains("ann") && login.contains("pw"), "{login}");

    proxied.expect("bob", "wrong", NO);
    proxied.expect("nobody", "s3cret", NO);
}

#[test]
fn an_account_tells_its_own_server_and_why_it_may_not_be_used() {
    let (imap, _told) = imap_server();
    let (other, told) = imap_server();
    let site = Site::nwauth().user("moved", "pw").user("closed", "pw");
    let field = format!("mailhost=imap={other}");
    let _ = site.dmail(&["authent", "set"], &["moved", &field], "pw\n").success();
    let _ = site.dmail(&["authent", "set"], &["closed", "mailstatus=suspended"], "pw\n").success();
    let mut site = Some(site);
    let proxied = start(&mut site, imap);
    proxied.expect("moved", "pw", YES);
    assert!(told.recv_timeout(wait::PATIENCE).expect("a login").contains("moved"));
    proxied.expect("closed", "wrong", NO);
    let [pop, imap, smtp] = proxied.answers("closed", "pw");
    assert!(pop.starts_with("-ERR [AUTH] ") && !pop.contains("wrong"), "{pop}");
    assert!(imap.starts_with("a NO [AUTHORIZATIONFAILED] "), "{imap}");
    assert!(smtp.starts_with("535 5.7.13 ") && !smtp.contains("wrong"), "{smtp}");
}

#[test]
fn a_user_base_that_is_dead_slow_or_flapping_is_never_a_wrong_password() {
    let (imap, _told) = imap_server();
    let site = Site::module().set("authent_timeout 2").set("authent_cache 0");
    let mut site = Some(site);
    let proxied = start(&mut site, imap);
    proxied.expect("dead", "s3cret", LATER);
    proxied.expect("hang", "s3cret", LATER);
    // A module that crashes in between is started again; whatever it does to
    // others, bob is let in or told to come back.
    for _ in 0..5 {
        proxied.expect("crash", "s3cret", LATER);
        for (answer, (yes, later)) in
            proxied.answers("bob", "s3cret").iter().zip(YES.iter().zip(LATER))
        {
            assert!(answer.starts_with(yes) || answer.starts_with(later), "{answer}");
        }
    }
    wait::until("bob gets in", || proxied.answers("bob", "s3cret")[0].starts_with("+OK"));
    proxied.expect("bob", "wrong", NO);
}

#[test]
fn without_dmail_or_its_secret_nobody_reads_of_a_wrong_password() {
    let (imap, _told) = imap_server();
    let internal = ["-ERR internal server error", "* BAD internal server error", "451 4.3.2 "];
    let mut site = Some(Site::nwauth().user("bob", "pw"));
    let mut proxied = start(&mut site, imap);
    proxied.expect("bob", "pw", YES);
    proxied.nginx = Nginx::start(&nginx_conf(&proxied.server, "guessed"));
    proxied.expect("bob", "pw", internal);
    let home = site.as_ref().expect("it is there").home();
    let log = fs::read_to_string(home.join("log/dmail.log")).expect("a log");
    assert!(log.contains("a request without the secret"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains("guessed"), "{log}");

    let Proxied { nginx, server } = proxied;
    server.kill();
    let mut pop = Client::connect(nginx.address(0));
    pop.expect("+OK ");
    pop.ask("USER bob", "+OK");
    pop.ask("PASS pw", "-ERR internal server error");
}

#[test]
fn after_ten_guesses_nginx_closes_the_connection() {
    let (imap, _told) = imap_server();
    let mut site = Some(Site::nwauth().user("bob", "pw"));
    let proxied = start(&mut site, imap);
    let mut pop = proxied.pop();
    for guess in 0..10 {
        pop.ask("USER bob", "+OK");
        pop.ask(&format!("PASS guess{guess}"), "-ERR [AUTH] ");
    }
    assert!(pop.try_line().is_err(), "it is closed");
}
