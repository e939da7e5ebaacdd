//! The documentation: every link leads somewhere, and every page is found from
//! README.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The pages, by their path from the root of the repository.
fn pages() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let mut pages = BTreeMap::new();
    for folder in ["", "bench", "docs", "docs/integrations", "fuzz"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("text");
                let name = path.strip_prefix(root).expect("it is below").to_owned();
                pages.insert(name, without_code(&text));
            }
        }
    }
    pages
}

/// A page without its blocks of code, in which nothing is a link or a heading.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Where the links of a page lead: a path from the root, and a heading.
fn links(page: &Path, text: &str) -> Vec<(PathBuf, Option<String>)> {
    let folder = page.parent().expect("a file");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .map(|target| {
            let (file, heading) = match target.split_once('#') {
                Some((file, heading)) => (file, Some(heading.to_owned())),
                None => (target, None),
            };
            let path = if file.is_empty() { page.to_owned() } else { plain(&folder.join(file)) };
            (path, heading)
        })
        .collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// What a link calls the heading of this line.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let letters = heading.to_lowercase().chars().filter(kept).collect::<String>();
    Some(letters.replace(' ', "-"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let mut count = 0;
    for (page, text) in &pages {
        for (path, heading) in links(page, text) {
            count += 1;
            assert!(root.join(&path).exists(), "{}: no {}", page.display(), path.display());
            if let Some(heading) = heading {
                let text = pages.get(&path).map_or("", String::as_str);
                let is_there = text.lines().filter_map(anchor).any(|anchor| anchor == heading);
                assert!(is_there, "{}: no {}#{heading}", page.display(), path.display());
            }
        }
    }
    assert!(count > 100, "{count} links were found");
}

#[test]
fn every_page_is_found_from_the_first_one() {
    let pages = pages();
    let (mut found, mut next) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(page) = next.pop() {
        if let Some(text) = pages.get(&page)
            && found.insert(page.clone())
        {
            next.extend(links(&page, text).into_iter().map(|(path, _)| path));
        }
    }
    let lost: Vec<_> = pages.keys().filter(|page| !found.contains(*page)).collect();
    assert!(lost.is_empty(), "no page leads to {lost:?}");
}
