//! The mail modules of Python: smtplib, poplib, and mailbox, which reads drop
//! files as a mail program on the same machine does.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::program::{Said, run};

const SEND: &str = "\
import smtplib, sys
host, port, sender, recipients = sys.argv[1:5]
with smtplib.SMTP(host, int(port), timeout=30) as smtp:
    smtp.sendmail(sender, recipients.split(','), sys.stdin.buffer.read())
";

const READ: &str = "\
import poplib, sys
host, port = sys.argv[1:3]
user, password = sys.stdin.read().split('\\n')[:2]
pop = poplib.POP3(host, int(port), timeout=30)
pop.user(user)
pop.pass_(password)
for number in range(1, pop.stat()[0] + 1):
    lines = pop.retr(number)[1]
    sys.stdout.buffer.write(b''.join(line + b'\\r\\n' for line in lines))
pop.quit()
";

const COUNT: &str = "\
import mailbox, sys
for message in mailbox.mbox(sys.argv[1], create=False):
    print(message['Subject'])
";

const LOG_IN: &str = "\
import smtplib, ssl, sys
host, port, user, address, tls = sys.argv[1:6]
with smtplib.SMTP(host, int(port), timeout=30) as smtp:
    if tls == 'tls':
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        smtp.starttls(context=context)
    smtp.ehlo()
    print(*smtp.docmd('XCLIENT', 'ADDR=' + address))
    smtp.ehlo()
    try:
        print(*smtp.login(user, sys.stdin.read(), initial_response_ok=True))
    except smtplib.SMTPAuthenticationError as error:
        print(error.smtp_code, error.smtp_error)
";

/// Logs in with smtplib at a Postfix that believes its clients (XCLIENT) which
/// address they have. Says what was answered to both.
#[must_use]
pub fn log_in_from(address: &str, smtp: SocketAddr, login: [&str; 2], tls: bool) -> Said {
    let [user, password] = login;
    let (host, port) = (smtp.ip().to_string(), smtp.port().to_string());
    let tls = if tls { "tls" } else { "plain" };
    run(script(LOG_IN, &[&host, &port, user, address, tls]), password)
}

/// Sends a message with smtplib.
#[must_use]
pub fn send(smtp: SocketAddr, sender: &str, recipients: &str, message: &[u8]) -> Said {
    run(
        script(SEND, &[&smtp.ip().to_string(), &smtp.port().to_string(), sender, recipients]),
        message,
    )
}

/// Reads all messages with poplib, one behind the other.
#[must_use]
pub fn read(pop: SocketAddr, user: &str, password: &str) -> Said {
    let login = format!("{user}\n{password}\n");
    run(script(READ, &[&pop.ip().to_string(), &pop.port().to_string()]), login)
}

/// The subjects of the messages in a drop file, as the mailbox module finds them.
///
/// # Panics
///
/// If it cannot read the file.
#[must_use]
pub fn subjects(drop_file: &Path) -> Vec<String> {
    let said = run(script(COUNT, &[&drop_file.display().to_string()]), "").success();
    said.text().lines().map(str::to_owned).collect()
}

fn script(text: &str, arguments: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", text]).args(arguments);
    python
}
