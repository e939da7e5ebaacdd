//! Files with blocks: settings that hold for all, then one block after the
//! other, each begun by a line with the name that heads a block.
//!
//! ```text
//!   timeout 5                   for every block
//!   module  10                  begins a block; the line is a setting of it
//!   source  nwauth users
//!   module  20                  begins the next
//!   timeout 20                  beats the one for every block
//! ```
//!
//! A block is a [`Given`] like a whole file is, so it has the same table, the
//! same checks and the same manual.

use std::io;
use std::path::Path;

use super::given::Given;
use super::syntax::{self, Entry};
use super::table::Vocabulary;
use super::{Loaded, loaded};

/// Reads a file of blocks, each begun by a line that sets `head`, which is a
/// setting of `vocabulary`. `build` takes what stands before the first block,
/// and the blocks in the order of the file.
pub fn load_sections<T>(
    path: &Path,
    read: &mut dyn FnMut(&Path) -> io::Result<String>,
    head: &str,
    vocabulary: &Vocabulary,
    build: impl FnOnce(&mut Given<'_>, &mut [Given<'_>]) -> Option<T>,
) -> Loaded<T> {
    let mut document = syntax::read(path, read);
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    if document.is_unread {
        return Loaded { settings: None, diagnostics };
    }
    let first = document.entries.iter().position(|entry| entry.name == head);
    let (general, blocks) = document.entries.split_at(first.unwrap_or(document.entries.len()));
    let mut given = Given::new(&document.main, general, vocabulary);
    let mut sections: Vec<Given<'_>> = blocks
        .chunk_by(|_, next| next.name != head)
        .map(|own| section(&document.main, general, own, vocabulary))
        .collect();
    let settings = build(&mut given, &mut sections);
    diagnostics.extend(given.into_diagnostics());
    for diagnostic in sections.into_iter().flat_map(Given::into_diagnostics) {
        // What is wrong with a line for all blocks is found by each of them.
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }
    loaded(settings, diagnostics)
}

/// One block: its own lines, and those for all that it does not set itself.
fn section<'a>(
    main: &std::sync::Arc<Path>,
    general: &'a [Entry],
    own: &'a [Entry],
    vocabulary: &'a Vocabulary,
) -> Given<'a> {
    let mut given = Given::new(main, own, vocabulary);
    if let Some(head) = own.first() {
        given.is_headed_by(head);
    }
    given.inherit(general);
    given
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares what crates export")]
mod tests {
    use std::time::Duration;

    use super::super::Unset;
    use super::super::value::{number, seconds, text};
    use super::*;

    crate::settings! {
        title: "A block";
        /// For these tests.
        pub struct Block {
            /// Its number.
            number: u8 = one("block", number(1..=99)),
                default: Unset::Compulsory, example: "block 10";

            /// A word.
            word: String = one("word", text(9)),
                default: Unset::Compulsory, example: "word yes";

            /// A time.
            wait: Duration = one("wait", seconds(1..=60)),
                default: Unset::Value("7"), example: "wait 5";
        }
    }

    const BLOCKS: Vocabulary = Vocabulary {
        file: "blocks.ini",
        introduction: "",
        groups: &[Block::GROUP],
        not_used: &["loglevel"],
    };

    fn load(text: &str) -> Loaded<Vec<Block>> {
        let mut read = |_: &Path| Ok(text.to_owned());
        load_sections(Path::new("blocks.ini"), &mut read, "block", &BLOCKS, |_, blocks| {
            blocks.iter_mut().map(Block::build).collect()
        })
    }

    #[test]
    fn a_block_beats_what_holds_for_all() {
        let text =
            "wait 3 \nloglevel error\n\nblock 10 \t\nword one\nblock 20\nword two\nwait 9 \n";
        let loaded = load(text);
        assert_eq!(loaded.diagnostics.len(), 1, "a setting of the original is not used");
        let blocks = loaded.settings.expect("all is well");
        let values: Vec<_> =
            blocks.iter().map(|b| (b.number, b.word.as_str(), b.wait.as_secs())).collect();
        assert_eq!(values, [(10, "one", 3), (20, "two", 9)]);
        assert!(load("wait 3\n").settings.expect("no block, no mistake").is_empty());
    }

    #[test]
    fn every_mistake_has_its_line() {
        let rows: &[(&str, &[&str])] = &[
            ("wait 99\nblock 1\nword a\nblock 2\nword b\n", &["blocks.ini:1:6: error: `wait`"]),
            ("block 1\nblock 2\nword b\n", &["blocks.ini:1:7: error: `word` is not set"]),
            ("block x\nword a\n", &["blocks.ini:1:7: error: `block` needs"]),
            ("block 1\nword a\nword b\n", &["blocks.ini:3:1: error: `word` is set twice"]),
            (
                "wrod a\nblock 1\nword a\nwiat 5\n",
                &["blocks.ini:1:1: warning: there is no", "blocks.ini:4:1: warning: there is no"],
            ),
        ];
        for (text, expected) in rows {
            let said: Vec<String> =
                load(text).diagnostics.iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), expected.len(), "{text}: {said:?}");
            for (said, start) in said.iter().zip(*expected) {
                assert!(said.starts_with(start), "{text}: {said}");
            }
        }
    }
}
