//! Aligned columns of text that fit the terminal.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement};

use crate::redact;

/// Columns of space between two cells.
const GAP: u16 = 2;

/// Whether tables may be wider than the terminal.
static WIDE: AtomicBool = AtomicBool::new(false);

/// Lets tables be as wide as their content, whatever the terminal.
pub(crate) fn allow_wide() {
    WIDE.store(true, Ordering::Relaxed);
}

/// Columns of the terminal on standard output, or of `COLUMNS`; `None` without limit.
fn width() -> Option<u16> {
    if WIDE.load(Ordering::Relaxed) {
        return None;
    }
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
    let terminal = || {
        let out = std::io::stdout();
        let size = out.is_terminal().then(|| terminal_size::terminal_size_of(out)).flatten();
        size.map(|(terminal_size::Width(columns), _)| columns)
    };
    columns.filter(|columns| *columns > 0).or_else(terminal)
}

/// A table under construction. Cells are made harmless to a terminal as they come in.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
    optional: Vec<usize>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Table {
        let head = head.iter().map(|cell| (*cell).to_owned()).collect();
        Table { head, ..Table::default() }
    }

    /// Aligns columns to the right: numbers.
    pub(crate) fn right(mut self, columns: &[usize]) -> Table {
        self.right.extend(columns);
        self
    }

    /// Columns that are left out, the first one first, where the table does not fit.
    pub(crate) fn optional(mut self, columns: &[usize]) -> Table {
        self.optional.extend(columns);
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| redact::shown(cell)).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn render(&self) -> String {
        self.render_within(width())
    }

    fn render_within(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_header(&self.head).add_rows(&self.rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        for right in &self.right {
            if let Some(column) = table.column_mut(*right) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        if let Some(width) = width {
            self.fit(&mut table, width.saturating_add(GAP));
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }

    /// Leaves optional columns out until the table fits, then wraps its cells.
    fn fit(&self, table: &mut comfy_table::Table, width: u16) {
        let mut widths: Vec<usize> = table
            .column_max_content_widths()
            .into_iter()
            .map(|content| usize::from(content) + usize::from(GAP))
            .collect();
        for optional in &self.optional {
            if widths.iter().sum::<usize>() <= usize::from(width) {
                break;
            }
            if let Some(column) = table.column_mut(*optional) {
                column.set_constraint(ColumnConstraint::Hidden);
                widths[*optional] = 0;
            }
        }
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hostile_cells_stay_on_their_line() {
        let mut table = Table::new(&["NAME", "ROWS"]).right(&[1]);
        table.row(vec!["社".into(), "7".into()]);
        table.row(vec!["a\nb\u{1b}[2J".into(), "1200".into()]);
        assert_eq!(
            table.render_within(None),
            "NAME           ROWS\n社                7\na\\nb\\u{1b}[2J  1200\n"
        );
    }

    #[test]
    fn a_narrow_terminal_loses_optional_columns_first_and_wraps_the_rest() {
        let mut table = Table::new(&["NAME", "NOTE", "MORE"]).optional(&[2]);
        table.row(vec!["one".into(), "some words to wrap".into(), "x".repeat(40)]);
        let text = table.render_within(Some(30));
        assert_eq!(text, "NAME  NOTE\none   some words to wrap\n");
        let text = table.render_within(Some(18));
        assert_eq!(text, "NAME  NOTE\none   some words\n      to wrap\n");
    }
}
