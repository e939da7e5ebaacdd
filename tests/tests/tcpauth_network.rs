//! Nodes and daemons on machines of their own, and a network that loses what
//! it carries. A node is what a front end is made of: a cache in front of the
//! client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmail_authent::cache::CacheConfig;
use dmail_authent::line::Quoting;
use dmail_authent::unmapped::Unmapped;
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Origin, Outcome, Secret, Service, Username, Verdict,
};
use dmail_tcpauth::{Client, ClientConfig, Endpoint, Versions};
use dmail_tests::daemon::Daemon;
use dmail_tests::network::{Machine, Network};
use dmail_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PORT: u16 = 2110;
const SECRET: &str = "between-nodes-and-daemon";
const HEARTBEAT: Duration = Duration::from_secs(1);
const RECHECK: Duration = Duration::from_secs(1);

/// What a node says to a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    Later,
}

/// A front end's gateway on a machine.
struct Node {
    gateway: Arc<Unmapped>,
    machine: Machine,
}

impl Node {
    /// A node on this machine that asks the daemons of others.
    fn start(network: &Network, machine: usize, daemons: &[usize]) -> Self {
        let servers = daemons.iter().map(|daemon| Endpoint::Tcp {
            host: Network::address(*daemon).to_string(),
            port: PORT,
        });
        Self::asking(network, machine, servers.collect())
    }

    fn asking(network: &Network, machine: usize, servers: Vec<Endpoint>) -> Self {
        let machine = network.machine(machine);
        let config = ClientConfig {
            by_address: true,
            servers,
            versions: Versions::Any,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            heartbeat: HEARTBEAT,
            recheck_after: RECHECK,
            outstanding: 1000,
            plain_connections: 2,
            quoting: Quoting::default(),
            tls: None,
            secret: Some(Secret::new(SECRET.as_bytes())),
            peer: false,
        };
        // Without grace: what a node may do while it is cut off is the subject.
        let cache = CacheConfig { grace: false, ..CacheConfig::default() };
        let gateway =
            machine.work(async move { Unmapped::new(Arc::new(Client::start(config)), cache) });
        Self { gateway, machine }
    }

    fn check(&self, user: &str, secret: &str) -> Said {
        let (gateway, request) = (Arc::clone(&self.gateway), check(user, secret));
        self.machine.work(async move {
            match gateway.authenticate(&request).await {
                Ok(Verdict::Accepted(_)) => Said::Yes,
                Ok(Verdict::Rejected(_)) => Said::No,
                Err(_) => Said::Later,
            }
        })
    }

    /// Changes the password, and returns when that was acknowledged.
    fn set(&self, user: &str, secret: &str) {
        let action = Action::Set { secret: Some(Secret::new(secret.as_bytes())), info: None };
        let origin = Origin::local(Service::Admin);
        let change = Change { user: name(user), action, origin };
        let gateway = Arc::clone(&self.gateway);
        let outcome = self.machine.work(async move { gateway.change(&change).await });
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    }

    /// Waits until the node says this of a password, and never `not`.
    fn until(&self, said: Said, not: Said, user: &str, secret: &str) -> Duration {
        let start = Instant::now();
        wait::until("the node knows", || {
            let now = self.check(user, secret);
            assert_ne!(now, not, "{user} {secret}");
            now == said
        });
        start.elapsed()
    }
}

fn name(user: &str) -> Username {
    Username::parse(user.as_bytes()).expect("a name")
}

fn check(user: &str, secret: &str) -> AuthRequest {
    let secret = Secret::new(secret.as_bytes());
    AuthRequest::check(name(user), secret, Origin::local(Service::Pop3))
}

/// A daemon for a machine of the network, which knows bob.
fn daemon(network: &Network, machine: usize, more: &str) -> Daemon {
    let address = Network::address(machine);
    let settings = format!(
        "listen {address}:{PORT}\nallow 10.77.0.0/24\nallow_changes 10.77.0.0/24\n\
         shared_secret {SECRET}\nsource nwauth\n{more}"
    );
    let machine = network.name(machine);
    Daemon::new(&settings).behind(&["ip", "netns", "exec", &machine]).user("bob", "old")
}

#[test]
fn a_password_that_was_changed_on_one_node_works_on_none_any_more() {
    let Some(network) = Network::new(4) else { return };
    let daemon = daemon(&network, 1, "");
    let _running = daemon.start();
    let nodes = [2, 3, 4].map(|machine| Node::start(&network, machine, &[1]));
    let passwords: Vec<String> = (0..20).map(|number| format!("password{number}")).collect();
    nodes[0].set("bob", &passwords[0]);
    let mut slowest = Duration::ZERO;
    for (turn, pair) in passwords.windows(2).enumerate() {
        let [old, new] = [pair[0].as_str(), pair[1].as_str()];
        for node in &nodes {
            assert_eq!(node.check("bob", old), Said::Yes);
            assert_eq!(node.check("bob", old), Said::Yes, "from memory");
        }
        nodes[turn % 3].set("bob", new);
        let acknowledged = Instant::now();
        for node in &nodes {
            node.until(Said::No, Said::Later, "bob", old);
        }
        slowest = slowest.max(acknowledged.elapsed());
        assert_eq!(nodes[0].check("bob", new), Said::Yes);
    }
    eprintln!("an old password was dead on all nodes {slowest:?} after the acknowledgement");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

/// Cuts node 3 off, changes a password meanwhile, and heals.
fn cut_off(cut: impl Fn(&Network), heal: impl Fn(&Network)) {
    let Some(network) = Network::new(3) else { return };
    let daemon = daemon(&network, 1, "");
    let _running = daemon.start();
    let (near, far) = (Node::start(&network, 2, &[1]), Node::start(&network, 3, &[1]));
    assert_eq!((near.check("bob", "old"), far.check("bob", "old")), (Said::Yes, Said::Yes));
    cut(&network);
    near.set("bob", "new");
    assert_eq!(near.check("bob", "old"), Said::No);
    // It notices that it is cut off, and then trusts nothing that it knew.
    let noticed = far.until(Said::Later, Said::No, "bob", "old");
    let bound = HEARTBEAT * 4 + RECHECK + Duration::from_secs(6);
    assert!(noticed < bound, "{noticed:?}");
    assert_eq!(far.check("bob", "new"), Said::Later, "nobody to ask is no wrong password");
    heal(&network);
    let recovered = far.until(Said::Yes, Said::No, "bob", "new");
    assert_eq!(far.check("bob", "old"), Said::No);
    eprintln!("cut off: noticed after {noticed:?}, recovered after {recovered:?}");
    assert!(recovered < Duration::from_secs(5), "{recovered:?}");
}

#[test]
fn a_node_that_is_unplugged_asks_everything_again() {
    cut_off(|network| network.plug(3, false), |network| network.plug(3, true));
}

#[test]
fn a_node_that_hears_nothing_asks_everything_again() {
    cut_off(|network| network.drop_packets(3, "input", ""), |network| network.pass_packets(3));
}

#[test]
fn a_node_that_nobody_hears_asks_everything_again() {
    cut_off(|network| network.drop_packets(3, "output", ""), |network| network.pass_packets(3));
}

#[test]
fn a_daemon_that_was_killed_is_asked_again_when_it_is_back() {
    let Some(network) = Network::new(3) else { return };
    let daemon = daemon(&network, 1, "");
    let running = daemon.start();
    let nodes = [2, 3].map(|machine| Node::start(&network, machine, &[1]));
    nodes[0].set("bob", "new");
    running.kill();
    for node in &nodes {
        node.until(Said::Later, Said::Yes, "bob", "old");
    }
    let _running = daemon.start();
    for node in &nodes {
        let recovered = node.until(Said::Yes, Said::No, "bob", "new");
        eprintln!("recovered {recovered:?} after the restart");
        assert!(recovered < Duration::from_secs(3), "{recovered:?}");
        assert_eq!(node.check("bob", "old"), Said::No, "what was acknowledged is kept");
    }
}

#[test]
fn the_second_daemon_answers_while_the_first_is_away_and_hears_of_its_changes() {
    let Some(network) = Network::new(3) else { return };
    let peers = |other: usize| format!("peers peers{other}.ini\n");
    let first = daemon(&network, 1, &peers(2));
    // Both are in front of the same files.
    let users = first.folder().join("users");
    let second = daemon(&network, 2, &peers(1));
    let text = std::fs::read_to_string(second.config()).expect("a configuration");
    let shared = format!("nwauth_path {}", users.display());
    std::fs::write(second.config(), text.replace("nwauth_path users", &shared)).expect("room");
    for (daemon, other) in [(&first, 2), (&second, 1)] {
        let text = format!(
            "server {}:{PORT}\nshared_secret {SECRET}\nrecheck_after 1\nheartbeat 1\n",
            Network::address(other)
        );
        let file = daemon.folder().join(format!("peers{other}.ini"));
        std::fs::write(file, text).expect("room");
    }
    let (_first, _second) = (first.start(), second.start());
    let node = Node::start(&network, 3, &[1, 2]);
    let other = Node::start(&network, 3, &[2]);
    assert_eq!(node.check("bob", "old"), Said::Yes);
    assert_eq!(other.check("bob", "old"), Said::Yes, "and the second daemon remembers it");
    wait::until("the daemons hear each other", || {
        [&first, &second].iter().all(|daemon| daemon.log().contains("tcpauth daemon reached"))
    });
    node.set("bob", "new");
    other.until(Said::No, Said::Later, "bob", "old");
    assert_eq!(other.check("bob", "new"), Said::Yes);
    network.plug(1, false);
    let away = Instant::now();
    assert_eq!(node.check("ann", "any"), Said::No, "the second one answers");
    eprintln!("failed over within {:?}", away.elapsed());
    assert_eq!(node.check("bob", "old"), Said::No);
    network.plug(1, true);
    let answers = |daemon: &Daemon| daemon.log().matches("tcpauth client connected").count();
    let before = answers(&first);
    wait::until("the first one is used again", || answers(&first) > before);
    assert_eq!(node.check("bob", "new"), Said::Yes);
}

#[test]
fn a_network_that_loses_packets_costs_time_and_no_answer() {
    let Some(network) = Network::new(2) else { return };
    let daemon = daemon(&network, 1, "authent_cache 0\n");
    let _running = daemon.start();
    let node = Node::start(&network, 2, &[1]);
    assert_eq!(node.check("bob", "old"), Said::Yes);
    network.drop_packets(2, "input", "numgen random mod 100 < 10");
    for turn in 0..50 {
        let wrong = node.check("bob", &format!("wrong{turn}"));
        assert_ne!(wrong, Said::Yes);
        assert_ne!(node.check("bob", "old"), Said::No);
    }
    network.pass_packets(2);
    node.until(Said::No, Said::Yes, "bob", "wrong");
}

/// Carries bytes between a node and a daemon, each of them late.
async fn late(listener: TcpListener, daemon: SocketAddr, delay: Duration) {
    while let Ok((client, _)) = listener.accept().await {
        let daemon = TcpStream::connect(daemon).await.expect("the daemon listens");
        let (from_client, to_client) = client.into_split();
        let (from_daemon, to_daemon) = daemon.into_split();
        tokio::spawn(carry(from_client, to_daemon, delay));
        tokio::spawn(carry(from_daemon, to_client, delay));
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin + Send + 'static,
    delay: Duration,
) {
    let (send, mut due) = tokio::sync::mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((when, bytes)) = due.recv().await {
            tokio::time::sleep_until(when).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let when = tokio::time::Instant::now() + delay;
        if send.send((when, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

#[test]
fn many_questions_share_one_way_over_a_slow_line() {
    let Some(network) = Network::new(2) else { return };
    let daemon = daemon(&network, 1, "");
    let running = daemon.start();
    let address = running.address();
    let between = network.machine(2);
    let port = between.work(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(late(listener, address, Duration::from_millis(100)));
        port
    });
    let server = Endpoint::Tcp { host: "127.0.0.1".into(), port };
    let node = Node::asking(&network, 2, vec![server]);
    // Its hash is a cheap one, so that the line is what takes the time.
    node.set("bob", "new");
    assert_eq!(node.check("bob", "new"), Said::Yes);
    let gateway = Arc::clone(&node.gateway);
    let taken = node.machine.work(async move {
        let start = Instant::now();
        let asked: Vec<_> = (0..100)
            .map(|number| {
                let gateway = Arc::clone(&gateway);
                let request = check("bob", &format!("wrong{number}"));
                tokio::spawn(async move { gateway.authenticate(&request).await })
            })
            .collect();
        for answer in asked {
            let answer = answer.await.expect("no panic");
            assert!(matches!(answer, Ok(Verdict::Rejected(_))), "{answer:?}");
        }
        start.elapsed()
    });
    eprintln!("100 questions over a line of 200 ms took {taken:?}");
    assert!(taken < Duration::from_secs(4), "{taken:?}");
}
