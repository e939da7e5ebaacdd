//! nginx with one answer to everything: what it would say to its own mail proxy
//! if every login were right.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{installed, text};
use crate::failure::Failure;
use crate::process::Process;
use crate::program::folder;

/// A running nginx with one worker; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    // Removed when the process is gone.
    _home: TempDir,
}

impl Nginx {
    /// Starts one; `None` if it is not installed.
    pub(crate) fn start() -> Result<Option<Self>, Failure> {
        let Some(program) = installed(&["/usr/sbin/nginx"]) else { return Ok(None) };
        let home = folder()?;
        let address = free_address()?;
        let path = text(home.path());
        let config = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log {path}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  keepalive_requests 1000000000;\n\
               client_body_temp_path {path}/a;\n  proxy_temp_path {path}/b;\n\
               fastcgi_temp_path {path}/c;\n  uwsgi_temp_path {path}/d;\n\
               scgi_temp_path {path}/e;\n\
               server {{\n    listen {address};\n    location / {{\n\
                 add_header Auth-Status OK;\n      add_header Auth-Server 127.0.0.1;\n\
                 add_header Auth-Port 143;\n      return 200;\n    }}\n  }}\n}}\n"
        );
        let file = home.path().join("nginx.conf");
        fs::write(&file, config).map_err(Failure::system("configure nginx"))?;
        let mut command = Command::new(&program);
        command
            .arg("-e")
            .arg(home.path().join("error.log"))
            .arg("-p")
            .arg(home.path())
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null());
        let process = Process::start("nginx", &mut command)?;
        let mut nginx = Self { process, address, _home: home };
        nginx.process.wait_until(|| TcpStream::connect(address).is_ok())?;
        Ok(Some(nginx))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// A port of the loopback address that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::system("find a port"))?;
    listener.local_addr().map_err(Failure::system("find a port"))
}
