//! What the README shows is what is there.

use wfhost_testkit::guest::workspace;

use crate::sources::read;

#[test]
fn the_readme_shows_the_smallest_example_as_it_is() {
    let readme = read(&workspace().join("README.md"));
    for (language, file) in
        [("yaml", "examples/hello/hello.yaml"), ("rust", "plugins/hello/src/lib.rs")]
    {
        let shown = block(&readme, language);
        assert_eq!(shown, read(&workspace().join(file)), "README.md shows {file}");
    }
}

#[test]
fn what_the_readme_links_to_exists() {
    let readme = read(&workspace().join("README.md"));
    let links: Vec<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.starts_with("http"))
        .collect();
    assert!(links.len() > 4, "links are found: {links:?}");
    for link in links {
        assert!(workspace().join(link).exists(), "README.md links to {link}");
    }
}

/// The first block of code in a language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let opening = format!("```{language}\n");
    let (_, after) = text.split_once(&opening).unwrap_or_else(|| panic!("a block of {language}"));
    after.split("```").next().unwrap_or_default()
}
