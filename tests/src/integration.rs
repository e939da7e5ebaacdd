//! The lines that the pages in `docs/integrations/` tell an operator to write,
//! as the tests use them: what is documented is what is tested.
//!
//! ```text
//!   <!-- test: NAME -->        this is not shown
//!   ```text                    the block that it names
//!   …
//! ```

use std::fs;
use std::path::Path;

/// The lines of the block called `block` on the page `page`, each with its
/// line end.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn lines(page: &str, block: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/integrations");
    let file = folder.join(format!("{page}.md"));
    let text = fs::read_to_string(&file).unwrap_or_default();
    let name = format!("<!-- test: {block} -->");
    let mut after = text.lines().skip_while(|line| line.trim() != name).skip(1);
    let fence = after.next().unwrap_or_default().trim();
    assert!(fence.starts_with("```"), "{} has no block {block}", file.display());
    after.take_while(|line| line.trim() != "```").map(|line| format!("{line}\n")).collect()
}
