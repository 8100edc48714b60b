//! Layout: what the lines of a plain-text or Markdown file are to a reader.
//!
//! Hard-wrapped lines are joined, headings, list items and notices told apart from prose, and
//! what is no language (code, tables, rules, front matter, markup) is dropped. Every other
//! part of this crate reads blocks, never lines.

use crate::{
    markup::{self, Markup},
    words,
};

mod lines;
mod shape;

pub(crate) use shape::{is_caps, is_title_case};

use lines::Line;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// A title or the name of a section.
    Heading,
    /// Running text.
    Paragraph,
    /// One entry of a list, its marker taken off.
    Item,
    /// A copyright line, a bare address: names to know, no prose.
    Notice,
}

/// A piece of text that a reader takes in as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its text, on one line.
    pub text: String,
}

/// The blocks of a file, and where its links lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// In the file's order.
    pub blocks: Vec<Block>,
    /// Targets of Markdown links, in order, as written.
    pub links: Vec<String>,
}

impl Layout {
    /// Reads `text`. Never fails: text without any structure is one paragraph.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let lines = lines::lines(text);
        let body_indent = shape::body_indent(&lines);
        let mut reader =
            Reader { layout: Self::default(), body_indent, known: shape::vocabulary(&lines) };
        for group in lines.split(Line::is_blank).filter(|group| !group.is_empty()) {
            reader.group(group);
        }
        reader.finish()
    }
}

struct Reader {
    layout: Layout,
    body_indent: usize,
    known: shape::Vocabulary,
}

impl Reader {
    /// A run of lines between blank ones.
    fn group(&mut self, group: &[Line<'_>]) {
        if shape::is_code(group) {
            return;
        }
        if shape::is_centred(group, self.body_indent) {
            for line in group {
                self.centred(line);
            }
            return;
        }
        let mut open: Vec<Line<'_>> = Vec::new();
        let mut in_notice = false;
        for line in group {
            let notice = shape::is_notice(line.text) || (in_notice && open.is_empty());
            if notice {
                self.close(&mut open);
                in_notice = line.text.ends_with(',');
                self.push(BlockKind::Notice, line.text);
                continue;
            }
            in_notice = false;
            if line.heading || shape::starts_item(line, open.last()) {
                self.close(&mut open);
            }
            open.push(*line);
            if line.heading {
                self.close(&mut open);
            }
        }
        self.close(&mut open);
    }

    fn centred(&mut self, line: &Line<'_>) {
        let kind = match shape::is_notice(line.text) || shape::is_address(line.text) {
            true => BlockKind::Notice,
            false => BlockKind::Heading,
        };
        self.push(kind, line.text);
    }

    /// Ends the paragraph or item that has been gathered.
    fn close(&mut self, open: &mut Vec<Line<'_>>) {
        let Some(&first) = open.first() else { return };
        let text = shape::join(open, &self.known);
        let one_line = open.len() == 1;
        open.clear();
        if first.heading {
            return self.push(BlockKind::Heading, shape::split_marker(&text).1);
        }
        if shape::is_address(&text) {
            return self.push(BlockKind::Notice, &text);
        }
        let (marker, rest) = shape::split_marker(&text);
        if shape::is_heading(rest, marker.is_some(), one_line) {
            return self.push(BlockKind::Heading, rest);
        }
        if marker.is_none() {
            return self.push(BlockKind::Paragraph, rest);
        }
        let (title, body) = shape::split_run_in_heading(rest);
        if let Some(title) = title {
            self.push(BlockKind::Heading, title);
        }
        self.push(BlockKind::Item, body);
    }

    fn push(&mut self, kind: BlockKind, text: &str) {
        let Markup { text, links } = markup::strip(text);
        self.layout.links.extend(links);
        if words::words(&text).iter().any(words::Word::has_letter) {
            self.layout.blocks.push(Block { kind, text });
        }
    }

    /// A file in which everything looks like a heading is a file of short lines: they are its text.
    fn finish(mut self) -> Layout {
        let has_prose = self
            .layout
            .blocks
            .iter()
            .any(|b| matches!(b.kind, BlockKind::Paragraph | BlockKind::Item));
        if !has_prose {
            for block in &mut self.layout.blocks {
                if block.kind == BlockKind::Heading {
                    block.kind = BlockKind::Paragraph;
                }
            }
        }
        self.layout
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockKind::*, *};

    fn check(text: &str, expected: &[(BlockKind, &str)]) {
        let layout = Layout::of(text);
        let found: Vec<_> = layout.blocks.iter().map(|b| (b.kind, b.text.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn wrapped_lines_are_one_paragraph() {
        check(
            "The first line\nruns on here.\n\nAnother\tone\r\nends here.\n",
            &[(Paragraph, "The first line runs on here."), (Paragraph, "Another one ends here.")],
        );
    }

    #[test]
    fn titles_are_found_by_place_case_mark_and_underline() {
        let centred = "                  Apache License\n            Version 2.0, January 2004\n          http://www.apache.org/licenses/\n\n   All of this text is plain prose.\n   It goes on.\n";
        check(
            centred,
            &[
                (Heading, "Apache License"),
                (Heading, "Version 2.0, January 2004"),
                (Notice, "http://www.apache.org/licenses/"),
                (Paragraph, "All of this text is plain prose. It goes on."),
            ],
        );
        check(
            "# One #\nIt is.\n\nTWO\n\nIt is.\n",
            &[(Heading, "One"), (Paragraph, "It is."), (Heading, "TWO"), (Paragraph, "It is.")],
        );
        check(
            "Three here\n==========\nIt is.\n",
            &[(Heading, "Three here"), (Paragraph, "It is.")],
        );
        check(
            "  0. Definitions.\n\n  It is.\n",
            &[(Heading, "Definitions."), (Paragraph, "It is.")],
        );
        check(
            "2. Grant of Licence. You may do it.\n",
            &[(Heading, "Grant of Licence."), (Item, "You may do it.")],
        );
    }

    #[test]
    fn list_markers_start_items_and_are_taken_off() {
        check(
            "These are met:\n1. One thing\n   goes on.\n2. Another thing.\n\n  a) third one;\n  iv. fourth one;\n* fifth one\n- sixth one\n",
            &[
                (Paragraph, "These are met:"),
                (Item, "One thing goes on."),
                (Item, "Another thing."),
                (Item, "third one;"),
                (Item, "fourth one;"),
                (Item, "fifth one"),
                (Item, "sixth one"),
            ],
        );
    }

    #[test]
    fn a_wrapped_number_or_initial_is_no_marker() {
        check(
            "The total was in the end\n17. That is a lot.\n",
            &[(Paragraph, "The total was in the end 17. That is a lot.")],
        );
        check(
            "It was signed by John\nF. Kennedy in person.\n",
            &[(Paragraph, "It was signed by John F. Kennedy in person.")],
        );
    }

    #[test]
    fn copyright_lines_and_addresses_are_notices() {
        check(
            " Copyright (C) 1989 Some Foundation, Inc.,\n 51 Franklin Street, Boston\n Everyone is permitted to copy it.\n",
            &[
                (Notice, "Copyright (C) 1989 Some Foundation, Inc.,"),
                (Notice, "51 Franklin Street, Boston"),
                (Paragraph, "Everyone is permitted to copy it."),
            ],
        );
        check(
            "Copyright also means other laws.\n",
            &[(Paragraph, "Copyright also means other laws.")],
        );
        check(
            "See this:\n\n<https://example.org/a>\n",
            &[(Paragraph, "See this:"), (Notice, "https://example.org/a")],
        );
    }

    #[test]
    fn what_is_no_language_is_dropped() {
        check("---\ntitle: x\n---\nProse is here.\n", &[(Paragraph, "Prose is here.")]);
        check(
            "Before it.\n\n```rust\nfn main() {}\n```\n\nAfter it.\n",
            &[(Paragraph, "Before it."), (Paragraph, "After it.")],
        );
        check(
            "Before it.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<!-- no\n\nno -->\nAfter it.\n",
            &[(Paragraph, "Before it."), (Paragraph, "After it.")],
        );
        check(
            "It is:\n\n    if (x == 0) { return y[1]; }\n    z += f(x, &y);\n",
            &[(Paragraph, "It is:")],
        );
        check("-----\n*****\n12345\n", &[]);
    }

    #[test]
    fn a_word_broken_at_the_line_end_is_mended() {
        check(
            "We like infor-\nmation. Yes, information.\n",
            &[(Paragraph, "We like information. Yes, information.")],
        );
        check(
            "It is royalty-\nfree, with no royalty and free.\n",
            &[(Paragraph, "It is royalty-free, with no royalty and free.")],
        );
    }

    #[test]
    fn short_lines_alone_are_text() {
        check("hello\n", &[(Paragraph, "hello")]);
        check("", &[]);
    }
}
