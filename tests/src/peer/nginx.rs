//! nginx as a mail proxy, in a temporary folder and on free ports of the
//! loopback address.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;

const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// An nginx. It is killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    folder: TempDir,
    ports: Vec<u16>,
}

impl Nginx {
    /// Starts one with this `mail` section, in which each line `listen` gets a
    /// free port of the loopback address.
    ///
    /// # Panics
    ///
    /// If nginx and its mail module are not installed, or it does not start.
    #[must_use]
    pub fn start(mail: &str) -> Self {
        assert!(Path::new(MODULE).exists(), "install nginx and libnginx-mod-mail");
        let folder = tempfile::tempdir().expect("a directory");
        let home = folder.path();
        let mut ports = Vec::new();
        let mut listening = String::new();
        for line in mail.lines() {
            if line.trim_start().starts_with("listen ") {
                let port = free_port();
                ports.push(port);
                listening.push_str(&format!("listen 127.0.0.1:{port};\n"));
            } else {
                listening.push_str(&format!("{line}\n"));
            }
        }
        let text = format!(
            "load_module {MODULE};\n\
             daemon off;\n\
             master_process off;\n\
             pid {home}/nginx.pid;\n\
             error_log {home}/error.log info;\n\
             events {{ worker_connections 64; }}\n\
             {listening}",
            home = home.display(),
        );
        let file = home.join("nginx.conf");
        fs::write(&file, text).expect("room");
        let mut command = Command::new(PROGRAM);
        command.arg("-e").arg(home.join("error.log")).arg("-p").arg(home).arg("-c").arg(&file);
        let mut process = Process::start(command, home);
        process.until("nginx listens", |_| {
            ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        Self { process, folder, ports }
    }

    /// Where the `listen` line with this number listens, from 0.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[must_use]
    pub fn address(&self, number: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[number]))
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
