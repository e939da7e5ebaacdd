//! What a bare server says: the replies of a real conversation, word for word.

/// What ends a message's content.
const DOT: &[u8] = b"\r\n.\r\n";
const LINE: &[u8] = b"\r\n";

/// One side of a conversation in which each request gets one reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// What the server says first.
    pub(crate) greeting: String,
    /// What it says then, in this order. After the last it closes.
    pub(crate) steps: Vec<Step>,
}

/// One reply, and how the request ends that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// A line, or a text up to the line with a dot.
    pub(crate) until: &'static [u8],
    /// The reply, with its line ends.
    pub(crate) reply: String,
}

impl Step {
    /// What was replied to this request.
    pub(crate) fn new(request: &[u8], reply: &[u8]) -> Self {
        let until = if request.ends_with(DOT) { DOT } else { LINE };
        Self { until, reply: String::from_utf8_lossy(reply).into_owned() }
    }
}

impl Script {
    /// The script as words of a command line.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let steps = self.steps.iter().map(|step| {
            let kind = if step.until == DOT { '.' } else { '-' };
            format!("{kind}{}", step.reply)
        });
        [self.greeting.clone()].into_iter().chain(steps).collect()
    }

    /// The script that [`to_words`](Self::to_words) wrote.
    pub(crate) fn from_words(words: Vec<String>) -> Self {
        let mut words = words.into_iter();
        let greeting = words.next().unwrap_or_default();
        let steps = words.map(|word| match word.strip_prefix('.') {
            Some(reply) => Step { until: DOT, reply: reply.to_owned() },
            None => Step { until: LINE, reply: word.strip_prefix('-').unwrap_or(&word).to_owned() },
        });
        Self { greeting, steps: steps.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_travels_on_a_command_line() {
        let steps = vec![
            Step::new(b"EHLO a\r\n", b"250-b\r\n250 c\r\n"),
            Step::new(b"text\r\n.\r\n", b"250 taken\r\n"),
            Step::new(b"QUIT\r\n", b"-bye\r\n"),
        ];
        assert_eq!(steps[1].until, DOT);
        let script = Script { greeting: "220 b\r\n".to_owned(), steps };
        assert_eq!(Script::from_words(script.to_words()), script);
    }
}
