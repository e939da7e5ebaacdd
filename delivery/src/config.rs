//! What can be set.

use std::path::PathBuf;
use std::time::Duration;

use dmail_mailbox::LockPolicy;

/// How mail is delivered on this machine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our name in the trace of a message: a domain.
    pub host_name: String,
    /// The directories that drop files may lie in, at any depth (`drop_path`,
    /// the paths of the virtual domains, `drop_root`).
    pub mail_roots: Vec<PathBuf>,
    /// How drop files are locked.
    pub lock: LockPolicy,
    /// A message that has been through more servers than this goes in a circle.
    /// RFC 5321 section 6.3 asks for 100 at least.
    pub max_hops: u32,
    /// How many messages may be written at the same moment. Each keeps a
    /// thread, also while it waits for a lock.
    pub writers: usize,
    /// How long a message may wait for its turn.
    pub turn_timeout: Duration,
}

impl Default for Config {
    /// No mail root: every drop file is refused until one is given.
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            mail_roots: Vec::new(),
            lock: LockPolicy::default(),
            max_hops: 100,
            writers: 64,
            turn_timeout: Duration::from_secs(30),
        }
    }
}
