//! The report on the texts of `examples/brief`, as its folder keeps it. To accept a change of the
//! rules, look at the difference and run with `ACCEPT=1`.

use std::{fs, path::PathBuf};

use text_analysis::{
    folder::{self, Bounds},
    layout::Layout,
    report::{self, Analyses, Report},
    sentences, sentiment, textrank, topics,
};

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/brief")
}

/// What the workflow does, without the workflow.
fn brief() -> Report {
    let bounds = Bounds { documents: 500, document_bytes: 1 << 20, total_bytes: 12 << 20 };
    let folder = folder::read(&example().join("texts"), bounds).expect("the example has texts");
    let mut analyses =
        Analyses { folder: "any/texts".to_owned(), skipped: folder.skipped, ..Analyses::default() };
    for document in folder.documents {
        let layout = Layout::of(&document.text);
        let sentences = sentences::of(&layout);
        analyses.sentiments.push(sentiment::score(&document.name, &sentences));
        analyses.topics.push(topics::of(&document.name, &document.title, &layout));
        analyses.summaries.push(textrank::summarise(&document.name, &sentences, 3));
    }
    report::report(analyses).expect("the lists belong together")
}

fn check(file: &str, found: &str) {
    let path = example().join(file);
    if std::env::var_os("ACCEPT").is_some() {
        fs::write(&path, found).expect("the example's folder can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} is not what the rules say now", path.display());
}

#[test]
fn the_examples_report_is_as_it_was() {
    let report = brief();
    let json = serde_json::to_string_pretty(&report).expect("it can be written");
    check("expected.json", &format!("{json}\n"));
    check("expected.md", &report.markdown);
}

#[test]
fn the_readme_shows_what_the_report_says() {
    let readme = fs::read_to_string(example().join("README.md")).expect("the example has a README");
    let shown: Vec<&str> = readme
        .split("```markdown\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    assert!(!shown.is_empty(), "the README shows a part of the report");
    let report = brief().markdown;
    for excerpt in shown.iter().flat_map(|shown| shown.split("\n…\n")) {
        assert!(report.contains(excerpt.trim()), "not in the report:\n{excerpt}");
    }
}
