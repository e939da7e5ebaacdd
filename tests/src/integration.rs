//! The pages of `docs/integrations`: a test writes the very lines that a page
//! tells an administrator to write.

use std::fs;
use std::path::Path;

/// The lines of a block on a page. In front of its fence, the page names it:
///
/// ````text
/// <!-- test: NAME -->
/// ```
/// the lines
/// ```
/// ````
///
/// # Panics
///
/// If the page has no such block.
#[must_use]
pub fn lines(page: &str, block: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/integrations");
    let text = fs::read_to_string(folder.join(format!("{page}.md"))).expect("the page");
    let name = format!("<!-- test: {block} -->");
    let mut after = text.lines().skip_while(|line| line.trim() != name).skip(1);
    let fence = after.find(|line| !line.trim().is_empty());
    assert!(fence.is_some_and(|line| line.starts_with("```")), "{page}.md has no block {block}");
    let lines = after.take_while(|line| !line.starts_with("```"));
    lines.map(|line| format!("{line}\n")).collect()
}
