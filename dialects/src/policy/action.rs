//! What Postfix is told, in its words (access(5)).

use dmail_core::Rate;

use super::outgoing::Beyond;
use super::window::Unit;

/// What Postfix is told. The texts name neither users nor addresses, which may
/// not be fit for a reply line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Dunno,
    NoAccount,
    Unusable(String),
    ForeignSender,
    TooMuch(Beyond),
}

impl Action {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Dunno => "DUNNO".to_owned(),
            Self::NoAccount => "550 5.7.1 there is no such account".to_owned(),
            Self::Unusable(why) => format!("550 5.7.1 {why}"),
            Self::ForeignSender => {
                "553 5.7.1 the sender is not an address of the account that has logged in"
                    .to_owned()
            }
            Self::TooMuch(Beyond { unit, rate, wait }) => {
                let unit = match unit {
                    Unit::Messages => "message",
                    Unit::Recipients => "recipient",
                };
                let s = if rate.count == 1 { "" } else { "s" };
                let (count, time) = (rate.count, time(rate));
                let limit = format!("this account may send {count} {unit}{s} in {time}");
                match wait {
                    Some(wait) => {
                        let minutes = wait.as_secs().div_ceil(60).max(1);
                        format!("450 4.7.1 {limit}; try again in {minutes} minutes")
                    }
                    None => format!("550 5.7.1 {limit}, and this message has more"),
                }
            }
        }
    }

    /// The reason id of the log.
    pub(super) fn id(&self) -> &'static str {
        match self {
            Self::Dunno => "none",
            Self::NoAccount => "unknown-user",
            Self::Unusable(_) => "account-disabled",
            Self::ForeignSender => "foreign-sender",
            Self::TooMuch(_) => "too-much-mail",
        }
    }
}

/// The time of a rate, as in `1h`.
fn time(rate: &Rate) -> String {
    let text = rate.to_string();
    text.split_once('/').map_or_else(String::new, |(_, time)| time.to_owned())
}
