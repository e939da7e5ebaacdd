//! All the ways to log in, and what each server says to it.

use crate::base64;
use crate::client::Client;
use crate::server::Server;

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// POP3 `USER` and `PASS`.
    PopUser,
    /// POP3 `AUTH PLAIN` with an initial response.
    PopPlain,
    /// SMTP `AUTH PLAIN` with an initial response.
    SmtpPlain,
    /// SMTP `AUTH PLAIN`, challenged.
    SmtpPlainChallenged,
    /// SMTP `AUTH LOGIN`.
    SmtpLogin,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::PopUser,
        Self::PopPlain,
        Self::SmtpPlain,
        Self::SmtpPlainChallenged,
        Self::SmtpLogin,
    ];

    /// Logs in over a new connection; returns it with the server's answer.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn log_in(self, server: &Server, user: &str, password: &str) -> (Client, String) {
        let plain = base64::plain(user, password);
        let (mut client, last) = match self {
            Self::PopUser => {
                let mut client = server.pop_client();
                client.ask(&format!("USER {user}"), "+OK");
                (client, format!("PASS {password}"))
            }
            Self::PopPlain => (server.pop_client(), format!("AUTH PLAIN {plain}")),
            Self::SmtpPlain => (server.smtp_client(), format!("AUTH PLAIN {plain}")),
            Self::SmtpPlainChallenged => {
                let mut client = server.smtp_client();
                client.ask("AUTH PLAIN", "334 ");
                (client, plain)
            }
            Self::SmtpLogin => {
                let mut client = server.smtp_client();
                client.ask("AUTH LOGIN", "334 ");
                client.ask(&base64::encode(user), "334 ");
                (client, base64::encode(password))
            }
        };
        let answer = client.try_ask(&last).expect("an answer");
        (client, answer)
    }

    /// What the server says, over a connection that ends then.
    #[must_use]
    pub fn answer(self, server: &Server, user: &str, password: &str) -> String {
        let (mut client, answer) = self.log_in(server, user, password);
        // The next login must find the mailbox free.
        client.send("QUIT");
        let _ = client.rest();
        answer
    }

    /// How a yes begins.
    #[must_use]
    pub fn yes(self) -> &'static str {
        if self.is_pop() { "+OK " } else { "235 " }
    }

    /// How a no begins.
    #[must_use]
    pub fn no(self) -> &'static str {
        if self.is_pop() { "-ERR [AUTH] " } else { "535 5.7.8 " }
    }

    /// How "nobody can say now" begins.
    #[must_use]
    pub fn later(self) -> &'static str {
        if self.is_pop() { "-ERR [SYS/TEMP] " } else { "454 4.7.0 " }
    }

    fn is_pop(self) -> bool {
        matches!(self, Self::PopUser | Self::PopPlain)
    }
}
