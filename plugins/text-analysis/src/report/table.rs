//! Markdown tables whose columns line up in the source too.

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Side)]) -> Self {
        let columns = columns.iter().map(|(name, side)| ((*name).to_owned(), *side)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; its cells are text, whatever is in them.
    pub(super) fn row<const N: usize>(&mut self, cells: &[String; N]) {
        self.rows.push(cells.iter().map(|cell| escape(cell)).collect());
    }

    pub(super) fn write(&self, out: &mut String) {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        self.line(&header, &widths, out);
        let rules: Vec<String> = self
            .columns
            .iter()
            .zip(&widths)
            .map(|((_, side), width)| match side {
                Side::Left => "-".repeat(*width),
                Side::Right => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        self.line(&rules, &widths, out);
        for row in &self.rows {
            self.line(row, &widths, out);
        }
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([self.columns[at].0.chars().count(), 3]).max().unwrap_or(3)
    }

    fn line(&self, cells: &[String], widths: &[usize], out: &mut String) {
        for ((cell, width), (_, side)) in cells.iter().zip(widths).zip(&self.columns) {
            let padding = " ".repeat(width - cell.chars().count());
            out.push_str("| ");
            match side {
                Side::Left => out.extend([cell, padding.as_str()]),
                Side::Right => out.extend([padding.as_str(), cell]),
            }
            out.push(' ');
        }
        out.push_str("|\n");
    }
}

/// A text for a cell: on one line, its bars kept from parting cells.
fn escape(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("name", Side::Left), ("n", Side::Right)]);
        table.row(&["a|b".to_owned(), "1".to_owned()]);
        table.row(&["é".to_owned(), "1,000".to_owned()]);
        let mut out = String::new();
        table.write(&mut out);
        assert_eq!(
            out,
            "| name |     n |\n| ---- | ----: |\n| a\\|b |     1 |\n| é    | 1,000 |\n"
        );
    }
}
