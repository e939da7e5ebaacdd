//! What logins may send through another server that asks us.

use super::super::table::Unset::{Nothing, Value};
use super::super::value::{rate, word};
use crate::Rate;

crate::settings! {
    title: "Sending";
    /// A Postfix that asks the `policy` dialect lets a login send what is
    /// allowed here. Clients that have not logged in are not concerned.
    ///
    /// The info fields of an account say what is different for it:
    ///
    /// | field | meaning |
    /// |---|---|
    /// | `sendlimit` | its own `policy_messages`: a comma list such as `500/1h,2000/1d`, or `none` |
    /// | `rcptlimit` | its own `policy_recipients` |
    /// | `sendas` | a comma list of further addresses that it may send as, with `*` and `?` |
    ///
    /// An account whose state refuses logins (`account_state`) sends nothing.
    pub struct PolicySettings {
        /// How many messages a login may send within a time: a number, `/`,
        /// and the time with `s`, `m`, `h` or `d`. Several lines for different
        /// times all hold. A message with several recipients is one.
        messages: Vec<Rate> = many("policy_messages", rate()),
            default: Nothing("any number"), example: "policy_messages 200/1h";

        /// How many recipients all messages of a login together may have
        /// within a time.
        recipients: Vec<Rate> = many("policy_recipients", rate()),
            default: Nothing("any number"), example: "policy_recipients 2000/1d";

        /// What a login may send as. `own`: only as its own addresses, which
        /// are those that lead to its account, with or without `+extension`,
        /// and those of `sendas`. `foreign`: as these and as addresses of
        /// domains that are not ours. `any`: as anybody. The null sender, which
        /// reports and receipts have, is always allowed.
        sender: SenderRule = one("policy_sender", word(&SenderRule::WORDS)),
            default: Value("own"), example: "policy_sender foreign";
    }
}

/// What a login may send as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderRule {
    /// As its own addresses only.
    Own,
    /// As its own addresses, and as those of domains that are not ours.
    Foreign,
    /// As anything.
    Any,
}

impl SenderRule {
    const WORDS: [(&'static str, Self); 3] =
        [("own", Self::Own), ("foreign", Self::Foreign), ("any", Self::Any)];
}
