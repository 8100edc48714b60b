//! Lines: a file cut at its line ends, without what is no text at all.

/// Columns that a tab fills at most.
const TAB_COLUMNS: usize = 8;
/// Front matter that is longer is no front matter.
const FRONT_MATTER_LINES_MAX: usize = 60;

/// A line without its indent and trailing space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Columns before the text.
    pub(super) indent: usize,
    /// Empty where the line is blank.
    pub(super) text: &'a str,
    /// Marked as a heading, by `#` or by an underline.
    pub(super) heading: bool,
}

impl<'a> Line<'a> {
    pub(super) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    fn blank() -> Self {
        Self { indent: 0, text: "", heading: false }
    }

    fn of(raw: &'a str) -> Self {
        let text =
            raw.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}');
        let lead = raw.len() - raw.trim_start().len();
        let mut indent = 0_usize;
        for c in raw[..lead].chars() {
            indent = if c == '\t' { (indent / TAB_COLUMNS + 1) * TAB_COLUMNS } else { indent + 1 };
        }
        Self { indent, text, heading: false }
    }
}

/// The lines of `text`: fenced code, tables, comments and front matter are left out, rules
/// become blank lines, quotation marks of mail and Markdown are taken off.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let ends = ['\r', '\u{c}', '\u{2028}', '\u{2029}'];
    let raw: Vec<&str> = text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split(ends))
        .collect();
    let mut found: Vec<Line<'_>> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut in_comment = false;
    for raw in raw.iter().skip(front_matter(&raw)) {
        let line = unboxed(unquoted(Line::of(raw)));
        if let Some(mark) = fence {
            fence = (!line.text.starts_with(mark)).then_some(mark);
            continue;
        }
        if in_comment {
            in_comment = !line.text.contains("-->");
            continue;
        }
        if line.text.starts_with("<!--") {
            in_comment = !line.text.contains("-->");
            continue;
        }
        fence = opens_fence(line.text);
        if fence.is_some() {
            found.push(Line::blank());
        } else {
            place(&mut found, line);
        }
    }
    found
}

fn place<'a>(found: &mut Vec<Line<'a>>, line: Line<'a>) {
    if let Some(heading) = marked_heading(&line) {
        found.push(heading);
    } else if is_rule(line.text) {
        underline(found, line.text);
        found.push(Line::blank());
    } else if line.text.starts_with('|') || is_reference(line.text) {
        found.push(Line::blank());
    } else {
        found.push(line);
    }
}

fn front_matter(raw: &[&str]) -> usize {
    if raw.first().map(|line| line.trim_end()) != Some("---") {
        return 0;
    }
    let end =
        raw.iter().skip(1).take(FRONT_MATTER_LINES_MAX).position(|line| line.trim_end() == "---");
    end.map_or(0, |at| at + 2)
}

fn unquoted(line: Line<'_>) -> Line<'_> {
    match line.text.strip_prefix('>') {
        Some(rest) => {
            let text = rest.trim_start_matches(['>', ' ']);
            Line { text, ..line }
        }
        None => line,
    }
}

/// A line of a box that is drawn with stars.
fn unboxed(line: Line<'_>) -> Line<'_> {
    let inner = line.text.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'));
    match inner.filter(|inner| inner.starts_with(' ') && inner.ends_with(' ')) {
        Some(inner) => Line { text: inner.trim(), ..line },
        None => line,
    }
}

fn opens_fence(text: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|mark| {
        // A closing mark on the same line makes it a span of code.
        text.strip_prefix(mark).is_some_and(|rest| !rest.contains(mark))
    })
}

fn marked_heading<'a>(line: &Line<'a>) -> Option<Line<'a>> {
    let rest = line.text.trim_start_matches('#');
    let level = line.text.len() - rest.len();
    if level == 0 || level > 6 || !rest.starts_with(' ') {
        return None;
    }
    let text = rest.trim().trim_end_matches('#').trim_end();
    Some(Line { text, heading: true, ..*line })
}

/// A line of at least three punctuation marks of one or two kinds, spaces apart.
fn is_rule(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '-' | '=' | '*' | '_' | '~' | '+' | '#' | '.' | ' ' | '—' | '–'))
        && text.chars().filter(|c| *c != ' ').count() >= 3
}

/// Makes the line before a rule a heading, if it stands alone as one does.
fn underline(found: &mut [Line<'_>], rule: &str) {
    if !rule.starts_with(['=', '-', '~']) {
        return;
    }
    let [.., before, last] = found else {
        if let [only] = found {
            only.heading = !only.is_blank();
        }
        return;
    };
    if before.is_blank() && !last.is_blank() && last.text.len() < 100 {
        last.heading = true;
    }
}

/// `[name]: https://…`, the target of a Markdown link.
fn is_reference(text: &str) -> bool {
    text.starts_with('[')
        && text
            .split_once("]:")
            .is_some_and(|(_, rest)| rest.trim_start().starts_with(['h', '/', '.', '#', '<']))
}
