//! The report as a person reads it: an overview first, then what the documents have in common,
//! then each of them.

use std::fmt::Write;

use super::{
    DocumentReport, Report,
    table::{Side, Table},
};
use crate::{
    document::cut,
    entities::{Entity, EntityKind},
    round, sentiment,
};

const PHRASES_SHOWN: usize = 8;
const ENTITIES_SHOWN: usize = 6;
const SENTENCE_CHARS_SHOWN: usize = 400;
/// Left-out files that are named one by one; the rest is counted.
const SKIPPED_SHOWN: usize = 20;

pub(super) fn write(folder: &str, report: &Report) -> String {
    let mut out = String::new();
    let name = folder.rsplit('/').find(|part| !part.is_empty()).unwrap_or("the folder");
    line(&mut out, format_args!("# Brief of {name}\n"));
    overview(&mut out, report);
    together(&mut out, report);
    for document in &report.documents {
        self::document(&mut out, document);
    }
    skipped(&mut out, report);
    out
}

/// A string takes every write.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = writeln!(out, "{text}");
}

fn overview(out: &mut String, report: &Report) {
    let totals = &report.totals;
    if totals.documents == 0 {
        return line(out, format_args!("No text was found.\n"));
    }
    line(
        out,
        format_args!(
            "{}, {}, about {} to read. On the whole they sound {} ({}).\n",
            counted(totals.documents, "document"),
            counted(totals.words, "word"),
            duration(totals.minutes),
            sentiment::label(round(totals.sentiment, 2)),
            signed(totals.sentiment),
        ),
    );
    let mut table = Table::new(&[
        ("document", Side::Left),
        ("words", Side::Right),
        ("minutes", Side::Right),
        ("sentiment", Side::Right),
        ("Flesch", Side::Right),
        ("reads", Side::Left),
    ]);
    for document in &report.documents {
        let readability = &document.readability;
        table.row(&[
            cut(&document.name, 60),
            thousands(readability.words),
            readability.minutes.to_string(),
            signed(document.sentiment.compound),
            readability.flesch.map_or_else(|| "–".to_owned(), |ease| minus(&format!("{ease:.0}"))),
            readability.level.clone(),
        ]);
    }
    table.write(out);
    out.push('\n');
}

fn together(out: &mut String, report: &Report) {
    if report.shared_phrases.is_empty() && report.similar.is_empty() && report.outliers.is_empty() {
        return;
    }
    line(out, format_args!("## Across the documents\n"));
    if !report.shared_phrases.is_empty() {
        let mut table = Table::new(&[
            ("shared key phrase", Side::Left),
            ("documents", Side::Right),
            ("times", Side::Right),
        ]);
        for phrase in &report.shared_phrases {
            table.row(&[
                phrase.text.clone(),
                phrase.documents.len().to_string(),
                phrase.count.to_string(),
            ]);
        }
        table.write(out);
        out.push('\n');
    }
    if !report.similar.is_empty() {
        let mut table = Table::new(&[
            ("most alike", Side::Left),
            ("and", Side::Left),
            ("likeness", Side::Right),
        ]);
        for pair in &report.similar {
            table.row(&[
                cut(&pair.a, 60),
                cut(&pair.b, 60),
                format!("{:.0} %", pair.likeness * 100.0),
            ]);
        }
        table.write(out);
        out.push('\n');
    }
    if !report.outliers.is_empty() {
        let named: Vec<String> = report
            .outliers
            .iter()
            .map(|outlier| format!("{} ({:.0} %)", outlier.name, outlier.likeness * 100.0))
            .collect();
        line(out, format_args!("Unlike the others (mean likeness): {}.\n", named.join(", ")));
    }
}

fn document(out: &mut String, document: &DocumentReport) {
    if document.title == document.name {
        line(out, format_args!("## {}\n", document.name));
    } else {
        line(out, format_args!("## {}: {}\n", document.name, document.title));
    }
    let quoted: Vec<String> = document
        .summary
        .sentences
        .iter()
        .map(|sentence| format!("> {}\n", cut(&sentence.text, SENTENCE_CHARS_SHOWN)))
        .collect();
    if !quoted.is_empty() {
        line(out, format_args!("{}", quoted.join(">\n")));
    }
    let phrases = phrases(document);
    if !phrases.is_empty() {
        line(out, format_args!("- **Key phrases:** {}", phrases.join(" · ")));
    }
    for (kind, title) in KINDS {
        entities(out, &document.entities, *kind, title);
    }
    let tone = &document.sentiment;
    line(
        out,
        format_args!(
            "- **Sentiment:** {} ({}){}",
            tone.label,
            signed(tone.compound),
            extremes(tone)
        ),
    );
    out.push('\n');
}

/// The best phrases, without the names that stand on lines of their own.
fn phrases(document: &DocumentReport) -> Vec<&str> {
    let is_named = |text: &str| {
        document.entities.iter().any(|entity| {
            matches!(entity.kind, EntityKind::Organisation | EntityKind::Name)
                && entity.text.eq_ignore_ascii_case(text)
        })
    };
    let texts = document.key_phrases.iter().map(|phrase| phrase.text.as_str());
    texts.filter(|text| !is_named(text)).take(PHRASES_SHOWN).collect()
}

const KINDS: &[(EntityKind, &str)] = &[
    (EntityKind::Organisation, "Organisations"),
    (EntityKind::Name, "Names"),
    (EntityKind::DefinedTerm, "Defined terms"),
    (EntityKind::Acronym, "Acronyms"),
    (EntityKind::Date, "Dates"),
    (EntityKind::Version, "Versions"),
    (EntityKind::Money, "Amounts"),
    (EntityKind::Link, "Links"),
    (EntityKind::Email, "Mail"),
];

fn entities(out: &mut String, entities: &[Entity], kind: EntityKind, title: &str) {
    let of_kind: Vec<String> = entities
        .iter()
        .filter(|entity| entity.kind == kind)
        .take(ENTITIES_SHOWN)
        .map(|entity| match entity.count {
            0 | 1 => entity.text.clone(),
            count => format!("{} ({count})", entity.text),
        })
        .collect();
    if !of_kind.is_empty() {
        line(out, format_args!("- **{title}:** {}", of_kind.join(" · ")));
    }
}

fn extremes(tone: &sentiment::Sentiment) -> String {
    let mut text = String::new();
    for (sentence, name) in [(&tone.brightest, "brightest"), (&tone.darkest, "darkest")] {
        if let Some(sentence) = sentence {
            let said = format_args!("; {name}: “{}”", cut(&sentence.text, 140)).to_string();
            text.push_str(&said);
        }
    }
    text
}

fn skipped(out: &mut String, report: &Report) {
    if report.skipped.is_empty() {
        return;
    }
    line(out, format_args!("## Left out\n"));
    for skipped in report.skipped.iter().take(SKIPPED_SHOWN) {
        line(out, format_args!("- {}: {}", skipped.name, skipped.reason));
    }
    if let Some(more @ 1..) = report.skipped.len().checked_sub(SKIPPED_SHOWN) {
        line(out, format_args!("- and {more} more"));
    }
}

fn counted(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {of}{plural}", thousands(count))
}

fn duration(minutes: usize) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => counted(minutes, "minute"),
        (hours, 0) => counted(hours, "hour"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn signed(score: f64) -> String {
    minus(&format!("{score:+.2}"))
}

/// A number with the sign that is as wide as the plus.
fn minus(number: &str) -> String {
    number.replace('-', "−")
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
