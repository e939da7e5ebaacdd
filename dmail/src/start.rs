//! `dmail start`: everything from one folder, in the foreground.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use dmail_core::config::{Listen, Settings};

use crate::cli::StartArgs;
use crate::failure::Failure;
use crate::home::{self, DEMO, Home};
use crate::serve::{self, Listeners};
use crate::source::Source;
use crate::{assemble, configuration, logging, terminal};

/// Makes the home folder if need be, and serves it.
pub(crate) fn run(arguments: &StartArgs) -> Result<ExitCode, Failure> {
    serve::prepare_process();
    let home = Home::open(&arguments.home)?;
    let home_config = home.config();
    let mut settings = configuration::read(&home_config)?;
    if let Some(port) = arguments.smtp_port {
        settings.smtp.ports = vec![on_loopback("--smtp-port", port)];
    }
    if let Some(port) = arguments.pop_port {
        settings.pop.ports = vec![on_loopback("--pop-port", port)];
    }
    logging::to_files(&settings)?;
    serve::run_to_end(async {
        // A busy port is found before anything is made or asked.
        let listeners = Listeners::open(&settings, None).map_err(offer_ports)?;
        let greeting = prepare(home, &settings, &listeners).await?;
        serve::serve(&home_config, &settings, listeners, None, || {
            // The server is there, whether anybody reads this or not.
            let _ = terminal::write(greeting.as_bytes());
        })
        .await
    })
}

fn on_loopback(option: &'static str, port: u16) -> Listen {
    Listen::from_command_line(option, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// A second instance beside the first one needs no change of a file.
fn offer_ports(failure: Failure) -> Failure {
    match failure {
        Failure::Listen { service, address, error, blame } if !blame.starts_with("--") => {
            let blame = format!("{blame}, or start with --smtp-port N --pop-port N");
            Failure::Listen { service, address, error, blame }
        }
        failure => failure,
    }
}

/// Adds the demo user to a new home, and says what can be done now.
async fn prepare(
    home: Home,
    settings: &Settings,
    listeners: &Listeners,
) -> Result<String, Failure> {
    let source = Source::open(settings).await?;
    let gateway = assemble::gateway(settings, &source);
    let password = home.add_demo(settings, &gateway).await?;
    let messages = home::demo_messages(settings, &gateway).await;
    source.shutdown().await;

    let (Some(smtp), Some(pop)) = (listeners.smtp_address(), listeners.pop_address()) else {
        return Ok(String::new());
    };
    let mut text = format!("dmail serves {} (Ctrl-C stops it)\n", home.directory().display());
    text.push_str(&format!("  SMTP {smtp}   POP3 {pop}\n"));
    if let Some(password) = password {
        let password = String::from_utf8_lossy(password.expose());
        text.push_str(&format!("  user {DEMO}, password {password}\n"));
    }
    let file = home.password_file();
    if let (Some(messages), true) = (messages, file.exists()) {
        let file = file.display();
        let next = messages + 1;
        text.push_str(&format!(
            "\nSend a mail, list the mailbox, read the mail:\n\n\
             printf 'From: <me@localhost>\\r\\nTo: <{DEMO}@localhost>\\r\\nSubject: Hello\\r\\n\\r\\nIt works.\\r\\n' \
             | curl -sS smtp://{smtp} --mail-from me@localhost --mail-rcpt {DEMO}@localhost -T -\n\
             printf 'user = \"{DEMO}:%s\"' \"$(cat '{file}')\" | curl -sS -K - pop3://{pop}/\n\
             printf 'user = \"{DEMO}:%s\"' \"$(cat '{file}')\" | curl -sS -K - pop3://{pop}/{next}\n\n"
        ));
    }
    Ok(text)
}
