//! Names as clients ask for them, and as the base has them.

use std::borrow::Cow;

use dmail_core::{Domain, NameError, Username};

/// The setting `domain`: the domain of all users of a base that has none.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) domain: Option<Domain>,
    pub(crate) ignore_case: bool,
}

/// A name and its parts, as the base has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) whole: Cow<'a, str>,
    pub(crate) local: &'a str,
    pub(crate) domain: &'a str,
}

impl Names {
    /// What `user` is to be looked for as.
    pub(crate) fn asked<'a>(&'a self, user: &'a Username) -> Name<'a> {
        let own = self.domain.as_ref().map_or("", Domain::as_str);
        match user.split_domain() {
            (local, None) => Name { whole: local.into(), local, domain: own },
            (local, Some(domain)) if !own.is_empty() && domain.eq_ignore_ascii_case(own) => {
                Name { whole: local.into(), local, domain }
            }
            (local, Some(domain)) => Name { whole: user.as_str().into(), local, domain },
        }
    }

    /// What a user of the base is called in answers.
    ///
    /// # Errors
    ///
    /// If nobody could ask for such a name.
    pub(crate) fn answered(&self, name: &str, beside: Option<&str>) -> Result<Username, NameError> {
        let domain = beside.or(self.domain.as_ref().map(Domain::as_str));
        match domain.filter(|domain| !domain.is_empty() && !name.contains('@')) {
            Some(domain) => Username::parse(format!("{name}@{domain}").as_bytes()),
            None => Username::parse(name.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_all_is_not_in_the_table() {
        let names = |domain: Option<&str>| Names {
            domain: domain.map(|domain| Domain::parse(domain).expect("a domain")),
            ignore_case: true,
        };
        let rows = [
            (None, "bob", ("bob", "bob", ""), "bob"),
            (None, "bob@a.example", ("bob@a.example", "bob", "a.example"), "bob@a.example"),
            (Some("a.example"), "bob", ("bob", "bob", "a.example"), "bob@a.example"),
            (Some("a.example"), "bob@A.example", ("bob", "bob", "A.example"), "bob@a.example"),
            (
                Some("a.example"),
                "bob@b.example",
                ("bob@b.example", "bob", "b.example"),
                "bob@b.example",
            ),
        ];
        for (domain, user, expected, answered) in rows {
            let names = names(domain);
            let user = Username::parse(user.as_bytes()).expect("a name");
            let name = names.asked(&user);
            assert_eq!((name.whole.as_ref(), name.local, name.domain), expected);
            let answer = names.answered(&name.whole, None).expect("a name");
            assert_eq!(answer.as_str(), answered);
        }
    }
}
