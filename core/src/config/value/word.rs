//! Values that are one of a few words.

use super::super::suggest::closest;
use super::{Fault, Kind};

/// One of the words of `meanings`, in either case.
pub fn word<T: Copy + 'static>(meanings: &'static [(&'static str, T)]) -> Kind<T> {
    let names: Vec<&str> = meanings.iter().map(|(name, _)| *name).collect();
    Kind::new(listed("one of", &names), move |value| find(value.text, meanings))
}

/// A comma list of the words of `meanings`, each once at most.
pub fn words<T: Copy + 'static>(meanings: &'static [(&'static str, T)]) -> Kind<Vec<T>> {
    let names: Vec<&str> = meanings.iter().map(|(name, _)| *name).collect();
    Kind::new(listed("a comma list of", &names), move |value| {
        let mut found: Vec<(&str, T)> = Vec::new();
        let mut offset = 0;
        for item in value.text.split(',') {
            let meaning = find(item, meanings).map_err(|fault| fault.moved(offset))?;
            if found.iter().any(|(known, _)| known.eq_ignore_ascii_case(item)) {
                return Err(Fault::part(offset..offset + item.len(), "named twice"));
            }
            found.push((item, meaning));
            offset += item.len() + 1;
        }
        Ok(found.into_iter().map(|(_, meaning)| meaning).collect())
    })
}

/// Yes or no.
pub fn boolean() -> Kind<bool> {
    const WORDS: [(&str, bool); 6] = [
        ("true", true),
        ("false", false),
        ("yes", true),
        ("no", false),
        ("on", true),
        ("off", false),
    ];
    Kind::new("true or false", |value| find(value.text, &WORDS))
}

fn listed(before: &str, names: &[&str]) -> String {
    format!("{before} {}", names.join(", "))
}

fn find<T: Copy>(text: &str, meanings: &[(&'static str, T)]) -> Result<T, Fault> {
    let known = meanings.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    if let Some((_, meaning)) = known {
        return Ok(*meaning);
    }
    let fault = Fault::whole(text, "not one of the words known here");
    Err(match closest(text, meanings.iter().map(|(name, _)| *name)) {
        Some(name) => fault.help(format!("did you mean `{name}`?")),
        None => fault,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    const COLOURS: &[(&str, u8)] = &[("red", 1), ("green", 2)];

    #[test]
    fn a_word_is_known_in_either_case() {
        let kind = word(COLOURS);
        assert_eq!(kind.expects, "one of red, green");
        assert_eq!(read(&kind, "Green"), Ok(2));
        refuses(&kind, "grene", 0..5, "not one of the words known here");
        let fault = read(&kind, "grene").expect_err("a slip");
        assert_eq!(fault.help.as_deref(), Some("did you mean `green`?"));
    }

    #[test]
    fn a_list_of_words_keeps_its_order() {
        let kind = words(COLOURS);
        assert_eq!(kind.expects, "a comma list of red, green");
        assert_eq!(read(&kind, "green,red"), Ok(vec![2, 1]));
        refuses(&kind, "red,Red", 4..7, "named twice");
        refuses(&kind, "red,", 4..4, "not one of the words known here");
    }

    #[test]
    fn yes_and_no_have_three_spellings() {
        for (text, expected) in [("true", true), ("NO", false), ("on", true), ("off", false)] {
            assert_eq!(read(&boolean(), text), Ok(expected), "{text}");
        }
        refuses(&boolean(), "1", 0..1, "not one of the words known here");
    }
}
