//! A module, and what it can be trusted to understand.

use std::time::Duration;

use super::super::table::Unset::{Nothing, SameAs, Value};
use super::super::value::{CommandLine, boolean, command, number, seconds};

crate::settings! {
    title: "A module";
    /// A user base of your own: a program that answers questions about users
    /// one after the other.
    pub struct ModuleSettings {
        /// The program, which reads questions from its standard input and
        /// answers on its standard output. It is run directly and not by a
        /// shell; arguments are separated by blanks, and double quotes keep
        /// blanks together.
        process: Option<CommandLine> = optional("authent_process", command()),
            default: Nothing("no module is asked"),
            example: "authent_process /usr/local/dmail/myauth -path /etc/dmail";

        /// How many copies of the module run. Each answers one question at a
        /// time.
        number: usize = one("authent_number", number(1..=256)),
            default: Value("2"), example: "authent_number 4";

        /// How long the module may take over one answer. A copy that takes
        /// longer is replaced, and the client is told to try again later.
        timeout: Duration = one("authent_timeout", seconds(1..=600)),
            default: Value("10"), example: "authent_timeout 20";

        /// How many questions may wait for a free copy. Those beyond are told
        /// to try again later.
        queue: usize = one("authent_queue", number(1..=1_000_000)),
            default: Value("1000"), example: "authent_queue 200";

        /// How long a question may wait for a free copy. Nobody is there any
        /// more to hear the answer to an older one.
        queue_age: Duration = one("authent_queue_age", seconds(1..=600)),
            default: SameAs("authent_timeout"), example: "authent_queue_age 5";

        /// Whether the module understands percent-encoded arguments (`%20` for
        /// a blank). If not, a name or password with a blank or a control
        /// character is refused before it reaches the module.
        quote: bool = one("authent_quote", boolean()),
            default: Value("false"), example: "authent_quote true";

        /// Whether the module understands names and passwords in UTF-8. If
        /// not, those beyond ASCII are refused before they reach it.
        utf8: bool = one("authent_utf8", boolean()),
            default: Value("false"), example: "authent_utf8 true";

        /// Whether `check` tells the module the address of the client.
        send_ip: bool = one("authent_send_ip", boolean()),
            default: Value("true"), example: "authent_send_ip false";

        /// The longest reply line of the module, in bytes. A copy that sends a
        /// longer one is replaced.
        reply_max: usize = one("authent_reply_max", number(256..=1_048_576)),
            default: Value("1024"), example: "authent_reply_max 4096";
    }
}
