//! Any text at all: every analysis answers, within bounds, and the same way each time.

use proptest::prelude::*;
use text_analysis::{
    document::Document,
    layout::Layout,
    report::{self, Analyses, Report},
    sentences, sentiment, textrank, topics,
};

const MEGABYTE: usize = 1 << 20;

fn brief(text: &str) -> Report {
    let layout = Layout::of(text);
    let sentences = sentences::of(&layout);
    let analyses = Analyses {
        folder: "x".to_owned(),
        sentiments: vec![sentiment::score("a", &sentences)],
        topics: vec![topics::of("a", "A", &layout)],
        summaries: vec![textrank::summarise("a", &sentences, 3)],
        skipped: Vec::new(),
    };
    report::report(analyses).expect("the lists belong together")
}

/// Every part of the answer is within its bounds.
fn check(text: &str) -> Report {
    let report = brief(text);
    let document = &report.documents[0];
    assert!(document.summary.sentences.len() <= 3);
    assert!(document.summary.compared <= textrank::GRAPH_SENTENCES_MAX);
    assert!(document.key_phrases.len() <= topics::PHRASES_MAX);
    assert!(document.sentiment.compound.abs() <= 1.0);
    assert!(document.summary.sentences.iter().all(|sentence| sentence.score.is_finite()));
    let json = serde_json::to_string(&report).expect("it can be written");
    assert_eq!(
        serde_json::from_str::<Report>(&json).expect("it can be read"),
        report,
        "it survives JSON"
    );
    report
}

fn repeated(piece: &str) -> String {
    piece.repeat(MEGABYTE / piece.len())
}

#[test]
fn small_oddities() {
    for text in [
        "",
        " ",
        "\n",
        "x",
        "one",
        "One.",
        ".",
        "...",
        "1",
        "1 2 3",
        "\u{0}",
        "\u{feff}",
        "é",
        "🎉",
        "\r\n\r\n",
        "# ",
        "#",
        "- ",
        "---",
        "---\n",
        "```",
        "```\nx",
        "<!--",
        "| a |",
        "a\tb",
        "ﬁ",
        "[](",
        "![](",
        "[![](",
        "[a][",
        "<a",
        "\\",
        "`",
        "``",
        "*",
        "**",
        "&amp",
        "©",
        "(c)",
        "@.",
        "a@b",
        "http://",
        "www.",
        "$",
        "$1,",
        "v1.",
        "\"",
        "“",
        "\"A\" means",
        "(the \"",
        "The",
        "DON'T",
        "A.B.C. D",
        "Ⅷ",
        "İstanbul is İ.",
        "ǅ",
        "ß",
        "e\u{301}",
        "\u{202e}abc",
        "。",
    ] {
        check(text);
    }
}

#[test]
fn a_megabyte_of_one_thing() {
    for piece in [
        "a",
        "a ",
        "A ",
        "Ab ",
        "a. ",
        "A. ",
        "a\n",
        "\n",
        "é",
        "東",
        "。",
        "1 ",
        "1.",
        "1.1.1. ",
        "- a\n",
        "a-\n",
        "\"",
        "\"A\" means ",
        "(the \"A\") ",
        "[",
        "](",
        "![",
        "<",
        "`",
        "`a",
        "*a",
        "&",
        "\\",
        "> ",
        "|",
        "# a\n",
        "AB ",
        "Ab of ",
        "http://a.b ",
        "a@b.c ",
        "go to http://a.b ",
        "Go Ab 29 June 2007 ",
        "$1,000 ",
        "<!-- ",
        "good ",
        "!",
        "Copyright (C) 1999\n",
        "\u{1}",
        "\u{301}",
    ] {
        check(&repeated(piece));
    }
}

#[test]
fn a_megabyte_of_different_words_and_sentences() {
    let words: String = (0..120_000).map(|n| format!("Word{n} ")).collect();
    check(&words);
    let sentences: String = (0..25_000)
        .map(|n| format!("The ship Ab{n} of Cd{} left port{n} today.\n", n / 2))
        .collect();
    let report = check(&sentences);
    let summary = &report.documents[0].summary;
    assert_eq!(summary.of, sentences::SENTENCES_MAX);
    let terms: String =
        (0..20_000).map(|n| format!("\"Term{n}\" means it, and so does Term{n}.\n\n")).collect();
    check(&terms);
}

#[test]
fn bytes_that_are_no_text_are_refused_or_read() {
    for bytes in [&b"\xff\xfe\x00"[..], b"\xc3\x28 a word", b"\xed\xa0\x80", b"word \x80"] {
        if let Ok(document) = Document::read("a", bytes) {
            check(&document.text);
        }
    }
}

#[test]
fn line_ends_do_not_matter() {
    let text = "# A title\n\nThe first line\ngoes on here. Ada Lovelace is in London.\n\n- One item\n- Two items\n";
    let expected = check(text);
    assert_eq!(check(&text.replace('\n', "\r\n")), expected);
    assert_eq!(check(&text.replace('\n', "\r")), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_characters(text in any::<String>()) {
        check(&text);
    }

    /// Built of what the rules look for, in any order.
    #[test]
    fn any_mixture_of_marks(pieces in proptest::collection::vec(prop_oneof![
        Just(". "), Just("\n"), Just("\n\n"), Just("- "), Just("1. "), Just("a) "), Just("# "), Just("\""), Just("“"),
        Just("The "), Just("Free "), Just("Software "), Just("Foundation"), Just(", Inc. "), Just("of the "), Just("’s "),
        Just("means "), Just("(the "), Just("29 June 2007 "), Just("v1.2 "), Just("$1,000"), Just("http://a.b/c "),
        Just("a@b.cd "), Just("```"), Just("<!--"), Just("-->"), Just("[x](y)"), Just("**"), Just("infor-\n"), Just("mation "),
        Just("NOT "), Just("very good "), Just("!"), Just("|"), Just("---\n"), Just("    "), Just("İ"), Just("\u{301}"), Just("é"),
    ], 0..60)) {
        let text = pieces.concat();
        let first = check(&text);
        prop_assert_eq!(check(&text), first, "the same text, the same answer");
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(document) = Document::read("a", &bytes) {
            check(&document.text);
        }
    }
}
