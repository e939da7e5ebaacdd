//! Which accounts may be used, and from where.

use super::super::access::{AccessGroup, StateRule, access_group, account_state, group_names};
use super::super::table::Unset::Nothing;
use super::super::value::addresses;
use crate::pattern::AddressList;

crate::settings! {
    title: "Account states and access";
    /// A user base can say more of an account than its password. The info
    /// field `mailstatus` is the account's state; the info field `mailaccess`
    /// limits where its user may log in. Both are judged at each login, and
    /// only after the password was right: nobody else learns of them. The
    /// administrator's own questions (`dmail authent`) are not limited.
    ///
    /// | `mailstatus` | logins | mail for the user | the client reads |
    /// |---|---|---|---|
    /// | `ok`, `good`, `paydue`, or no such field | allow | accept | |
    /// | `payup` | refuse | accept | this account is locked until it is paid for |
    /// | `suspended` | refuse | accept | this account is suspended |
    /// | `cancelled` | refuse | refuse | this account has been cancelled |
    /// | `banned` | refuse | refuse | this account has been banned |
    /// | `closed` | refuse | refuse | this account is closed |
    /// | any other word | refuse | accept | this account cannot be used, please ask the postmaster |
    ///
    /// So nothing is lost for those who may come back, and a slip in the user
    /// base lets nobody in and bounces no mail; each use of a word that is not
    /// known is logged.
    ///
    /// `mailaccess` holds names of access groups, separated by blanks or
    /// commas, or rules of its own in the form `SERVICES:ADDRESSES`, or both.
    /// The user may log in where any of them allows it, and nowhere else. A
    /// group that is not known allows nothing, and is logged. For users of web
    /// mail only:
    ///
    /// ```text
    /// access_group webonly web *
    /// access_group webonly pop3,smtp 192.0.2.20
    /// ```
    ///
    /// and `mailaccess="webonly"` in the user's record; or, without a group,
    /// `mailaccess="web:* pop3,smtp:192.0.2.20"`.
    pub struct AccessSettings {
        /// What an account state means: the word, `allow` or `refuse` for
        /// logins, and for mail to the user `accept`, `later` (senders try
        /// again for some days) or `refuse`. The rest of the line is what the
        /// client reads whose login is refused. The word `other` stands for
        /// all that no line and no row of the table above names.
        states: Vec<StateRule> = many("account_state", account_state()),
            default: Nothing("the states of the table above"),
            example: "account_state suspended refuse later Please call 555-0100";

        /// Allows the users of a group to log in: the group's name, the
        /// services (`*`, or a comma list of `pop3`, `smtp`, `imap`, `web`,
        /// `line`), and the clients' addresses. Several lines may be about one
        /// group; each of them allows more.
        groups: Vec<AccessGroup> = many("access_group", access_group()),
            default: Nothing("there are no groups"),
            example: "access_group office pop3,imap,smtp 192.0.2.0/24,2001:db8::/32";

        /// The access groups of users without a `mailaccess`.
        default_groups: Option<Vec<String>> = optional("access_default", group_names()),
            default: Nothing("they may log in from everywhere"),
            example: "access_default office";

        /// The clients that may log in with a password (or a token) over a
        /// connection that others can listen to. Clients on this machine always
        /// may. All others are refused before anybody looks at the password,
        /// whoever they are, and read that it takes an encrypted connection. What a server does
        /// not tell is not held against its clients: `docs/dialects.md` says
        /// which dialects tell whether a client has TLS. Logins that show a
        /// password without sending it (SCRAM, CRAM-MD5) are always fine.
        plaintext: Option<AddressList> = optional("access_plaintext", addresses()),
            default: Nothing("everybody may"),
            example: "access_plaintext 10.0.0.0/8,!10.9.0.0/16";
    }
}
