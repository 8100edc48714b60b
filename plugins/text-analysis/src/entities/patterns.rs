//! Entities that have a form of their own: addresses, dates, versions, amounts.

use super::EntityKind;
use crate::words::{self, Word};

/// An entity and the part of the text that it takes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: EntityKind,
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The entities of `text` that have a known form, in order of their kind, none inside another.
pub(super) fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    addresses(text, &mut found);
    let words = words::words(text);
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        let inside = found.iter().any(|f| f.start <= rest[0].start && rest[0].start < f.end);
        let hit = if inside {
            None
        } else {
            date(text, rest).or_else(|| version(&words, at)).or_else(|| money(text, rest))
        };
        match hit {
            Some((kind, shown, taken)) => {
                let start = rest[0].start;
                let end = rest[taken - 1].end();
                found.push(Found { kind, text: shown, start, end });
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

/// A web address without what every address has.
pub(super) fn bare_address(address: &str) -> String {
    let bare = address
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_start_matches("www.");
    let bare = bare.split(['#', '?']).next().unwrap_or(bare);
    bare.trim_end_matches('/').to_owned()
}

fn addresses(text: &str, found: &mut Vec<Found>) {
    let mut from = 0;
    for token in text.split_whitespace() {
        // The token is part of what is left of the text, so it is found there.
        let Some(offset) = text[from..].find(token) else { continue };
        let start = from + offset;
        from = start + token.len();
        let Some((kind, shown)) = address(token) else { continue };
        found.push(Found { kind, text: shown, start, end: from });
    }
}

fn address(token: &str) -> Option<(EntityKind, String)> {
    let edges = |c: char| "<>()[]{}\"'“”‘’,;:.!?`".contains(c);
    let bare = token.trim_matches(edges);
    let web = ["http://", "https://", "www."].iter().find_map(|scheme| bare.find(scheme));
    if let Some(start) = web {
        let end = bare[start..].find(['>', '"', ')', ',']).map_or(bare.len(), |end| start + end);
        let shown = bare_address(bare[start..end].trim_end_matches(edges));
        return (shown.len() > 3 && shown.contains('.')).then_some((EntityKind::Link, shown));
    }
    let (local, domain) = bare.split_once('@')?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let valid = !local.is_empty()
        && local.chars().all(plain)
        && domain.chars().all(plain)
        && domain.split_once('.').is_some_and(|(host, top)| !host.is_empty() && top.len() >= 2);
    valid.then(|| (EntityKind::Email, bare.to_lowercase()))
}

type Hit = (EntityKind, String, usize);

fn date(text: &str, words: &[Word<'_>]) -> Option<Hit> {
    let taken = match words {
        [a, b, c, ..] if is_day(a) && is_month(b) && is_year(c) => 3,
        [a, b, c, ..] if is_month(a) && is_day(b) && is_year(c) => 3,
        [a, b, ..] if is_month(a) && is_year(b) => 2,
        [a, ..] if is_iso_date(a.text) => 1,
        _ => return None,
    };
    let span = &text[words[0].start..words[taken - 1].end()];
    // Words of one date stand side by side.
    (span.chars().filter(|c| !c.is_alphanumeric()).count() <= taken + 1)
        .then(|| (EntityKind::Date, span.to_owned(), taken))
}

fn is_day(word: &Word<'_>) -> bool {
    let digits = word.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word.text[digits.len()..];
    matches!(suffix, "" | "st" | "nd" | "rd" | "th")
        && digits.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day))
}

fn is_month(word: &Word<'_>) -> bool {
    #[rustfmt::skip]
    const MONTHS: [&str; 12] = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ];
    MONTHS.iter().any(|month| {
        word.text == *month
            || word.text == &month[..3]
            || (word.text.len() == 4 && month.starts_with(word.text))
    })
}

fn is_year(word: &Word<'_>) -> bool {
    word.text.len() == 4 && word.text.parse::<u16>().is_ok_and(|year| (1000..3000).contains(&year))
}

fn is_iso_date(word: &str) -> bool {
    let mut parts = word.split('-');
    let mut part = |length: usize, max: u16| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.parse::<u16>().is_ok_and(|n| n >= 1 && n <= max)
        })
    };
    part(4, 2999) && part(2, 12) && part(2, 31) && parts.next().is_none()
}

/// `version 3`, `v2.1`, and bare `1.2.3` unless it is the number of a section.
fn version(words: &[Word<'_>], at: usize) -> Option<Hit> {
    let word = words[at].text;
    let hit = |number: &str, taken| Some((EntityKind::Version, format!("version {number}"), taken));
    if word.eq_ignore_ascii_case("version") {
        let next = words.get(at + 1).filter(|next| next.start == words[at].end() + 1)?;
        return if is_number(next.text, 0) { hit(next.text, 2) } else { None };
    }
    if let Some(number) = word.strip_prefix(['v', 'V']) {
        return if is_number(number, 1) { hit(number, 1) } else { None };
    }
    let of_section = at.checked_sub(1).is_some_and(|before| {
        let before = words[before].text.to_lowercase();
        matches!(
            before.as_str(),
            "section" | "sections" | "clause" | "paragraph" | "and" | "or" | "in" | "to" | "under"
        )
    });
    if is_number(word, 2) && !of_section { hit(word, 1) } else { None }
}

/// Digits with at least so many dots between them.
fn is_number(text: &str, dots_min: usize) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() > dots_min
        && parts.len() <= 4
        && parts
            .iter()
            .all(|p| !p.is_empty() && p.len() <= 4 && p.bytes().all(|b| b.is_ascii_digit()))
}

/// `$1,000.50`, `20 euros`.
fn money(text: &str, words: &[Word<'_>]) -> Option<Hit> {
    let first = words.first().filter(|word| word.text.starts_with(|c: char| c.is_ascii_digit()))?;
    // Thousands are parted by commas, which are no part of a word.
    let mut taken = 1;
    while let (Some(last), Some(next)) = (words.get(taken - 1), words.get(taken))
        && &text[last.end()..next.start] == ","
        && next.text.split('.').next().is_some_and(|part| part.len() == 3)
        && is_number(next.text, 0)
    {
        taken += 1;
    }
    let end = words[taken - 1].end();
    let symbol =
        text[..first.start].chars().next_back().filter(|c| matches!(c, '$' | '€' | '£' | '¥'));
    if let Some(symbol) = symbol {
        return Some((EntityKind::Money, format!("{symbol}{}", &text[first.start..end]), taken));
    }
    let unit = words.get(taken).filter(|unit| unit.start == end + 1)?;
    let is_unit = matches!(
        unit.text,
        "dollar"
            | "dollars"
            | "euro"
            | "euros"
            | "pounds"
            | "yen"
            | "USD"
            | "EUR"
            | "GBP"
            | "JPY"
            | "CHF"
    );
    is_unit.then(|| (EntityKind::Money, text[first.start..unit.end()].to_owned(), taken + 1))
}
