//! The table of commands: a name, what it is for, and who does it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::codec::Reply;

/// Does one command.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Does it, with the words that follow the command's name.
    async fn run(&self, arguments: &[String]) -> Reply;
}

/// A function is a handler that needs to wait for nothing.
#[async_trait]
impl<F: Fn(&[String]) -> Reply + Send + Sync> Handler for F {
    async fn run(&self, arguments: &[String]) -> Reply {
        self(arguments)
    }
}

/// What a server can be told. `help` lists it.
#[derive(Clone, Default)]
pub struct Commands(Vec<Command>);

#[derive(Clone)]
struct Command {
    /// One or more words.
    name: &'static str,
    /// The arguments and the purpose, for `help`.
    usage: &'static str,
    handler: Arc<dyn Handler>,
}

impl Commands {
    /// No command but `help`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one command more. Its `name` is one or more words with one blank
    /// between them; `usage` says which arguments follow and what it does.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        usage: &'static str,
        handler: impl Handler + 'static,
    ) -> Self {
        self.0.push(Command { name, usage, handler: Arc::new(handler) });
        self
    }

    /// Does the command that `words` begin with; of several, the longest name.
    pub async fn run(&self, words: &[String]) -> Reply {
        if words == ["help"] {
            return self.help();
        }
        let fitting = self.0.iter().filter_map(|command| {
            let length = command.name.split(' ').count();
            let fits = words.len() >= length && command.name.split(' ').eq(&words[..length]);
            fits.then_some((length, command))
        });
        match fitting.max_by_key(|(length, _)| *length) {
            Some((length, command)) => command.handler.run(&words[length..]).await,
            None => Reply::err("unknown command; `help` lists them"),
        }
    }

    fn help(&self) -> Reply {
        let line = |command: &Command| format!("{} {}", command.name, command.usage);
        Reply::list(self.0.iter().map(line).collect(), "commands")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_name_wins_and_gets_the_other_words() {
        let named = |name: &'static str| {
            move |arguments: &[String]| Reply::ok(format!("{name}({})", arguments.join(",")))
        };
        let commands = Commands::new().with("stats", "- shows all", named("stats")).with(
            "stats pop",
            "[USER] - shows those of POP3",
            named("stats pop"),
        );
        let rows = [
            ("stats", Ok("stats()")),
            ("stats smtp", Ok("stats(smtp)")),
            ("stats pop", Ok("stats pop()")),
            ("stats pop a b", Ok("stats pop(a,b)")),
            ("stat", Err("unknown command; `help` lists them")),
        ];
        for (line, expected) in rows {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(commands.run(&words).await.result, expected, "{line}");
        }
        let help = commands.run(&["help".to_owned()]).await;
        assert_eq!(help.data[0], "stats - shows all");
        assert_eq!(help.result, Ok("2 commands".into()));
    }
}
