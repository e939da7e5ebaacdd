//! Machines that are network namespaces, joined by a switch.
//!
//! ```text
//!   machine 1 ── veth ──┐
//!   machine 2 ── veth ──┤ switch (a bridge in a namespace of its own)
//!   machine 3 ── veth ──┘
//! ```
//!
//! This takes root. What cannot be made is said, and the test is skipped.

use std::fs::File;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, setns};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A network, which goes away when dropped.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    machines: usize,
}

/// A machine's own runtime: its sockets are in its network.
#[derive(Debug)]
pub struct Machine {
    handle: Handle,
    _end: oneshot::Sender<()>,
}

impl Network {
    /// A network of so many machines. `None`, and a word on why, if it cannot
    /// be made here.
    #[must_use]
    pub fn new(machines: usize) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let network = Self { prefix: format!("dm{}x{number}", std::process::id()), machines };
        match network.build() {
            Ok(()) => Some(network),
            Err(why) => {
                eprintln!("skipped: network namespaces need root: {why}");
                None
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let switch = self.switch();
        run("ip", &["netns", "add", &switch])?;
        run("ip", &["-n", &switch, "link", "add", "switch", "type", "bridge"])?;
        run("ip", &["-n", &switch, "link", "set", "switch", "up"])?;
        for machine in 1..=self.machines {
            let (name, port) = (self.name(machine), format!("port{machine}"));
            run("ip", &["netns", "add", &name])?;
            run("ip", &["-n", &name, "link", "set", "lo", "up"])?;
            let pair = ["link", "add", "eth0", "type", "veth", "peer", "name", &port];
            run("ip", &[&["-n", &name], &pair[..], &["netns", &switch]].concat())?;
            run("ip", &["-n", &switch, "link", "set", &port, "master", "switch", "up"])?;
            let address = format!("{}/24", Self::address(machine));
            run("ip", &["-n", &name, "addr", "add", &address, "dev", "eth0"])?;
            run("ip", &["-n", &name, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// The address of a machine; the first is 1.
    #[must_use]
    pub fn address(machine: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(machine).unwrap_or(u8::MAX))
    }

    /// The name of a machine's namespace.
    #[must_use]
    pub fn name(&self, machine: usize) -> String {
        format!("{}m{machine}", self.prefix)
    }

    fn switch(&self) -> String {
        format!("{}s", self.prefix)
    }

    /// Pulls the plug of a machine, or puts it in again. Nobody is told:
    /// packets are lost in silence.
    pub fn plug(&self, machine: usize, plugged: bool) {
        let port = format!("port{machine}");
        let state = if plugged { "up" } else { "down" };
        must("ip", &["-n", &self.switch(), "link", "set", &port, state]);
    }

    /// Drops packets that reach a machine (`input`) or leave it (`output`), if
    /// `rule` matches them; the empty rule matches all.
    pub fn drop_packets(&self, machine: usize, direction: &str, rule: &str) {
        let name = self.name(machine);
        let nft = ["netns", "exec", &name, "nft"];
        let chain = format!("{{ type filter hook {direction} priority 0; }}");
        let rule: Vec<&str> = rule.split_whitespace().chain(["drop"]).collect();
        must("ip", &[&nft[..], &["add", "table", "inet", "lossy"]].concat());
        must("ip", &[&nft[..], &["add", "chain", "inet", "lossy", "packets", &chain]].concat());
        must("ip", &[&nft[..], &["add", "rule", "inet", "lossy", "packets"], &rule].concat());
    }

    /// Ends [`drop_packets`](Self::drop_packets).
    pub fn pass_packets(&self, machine: usize) {
        let name = self.name(machine);
        must("ip", &["netns", "exec", &name, "nft", "delete", "table", "inet", "lossy"]);
    }

    /// A runtime on a machine.
    ///
    /// # Panics
    ///
    /// If the machine is none of this network.
    #[must_use]
    pub fn machine(&self, machine: usize) -> Machine {
        let file = File::open(format!("/run/netns/{}", self.name(machine))).expect("a namespace");
        let (end, ended) = oneshot::channel::<()>();
        let (give, handle) = mpsc::channel();
        thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            give.send(runtime.handle().clone()).expect("it is waited for");
            let _ = runtime.block_on(ended);
        });
        Machine { handle: handle.recv().expect("a runtime"), _end: end }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in 1..=self.machines {
            let _ = run("ip", &["netns", "del", &self.name(machine)]);
        }
        let _ = run("ip", &["netns", "del", &self.switch()]);
    }
}

impl Machine {
    /// Does some work on the machine, and waits for it.
    ///
    /// # Panics
    ///
    /// If the work does.
    pub fn work<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (give, result) = mpsc::channel();
        self.handle.spawn(async move { give.send(work.await) });
        result.recv().expect("the work did not panic")
    }
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn must(program: &str, words: &[&str]) {
    run(program, words).expect("it worked before");
}
