//! Aligned columns.

use comfy_table::{Table, presets::NOTHING};

use super::printable;

/// Formats rows below a heading.
pub(super) fn columns<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = borderless();
    table.set_header(heading);
    render(table, rows)
}

/// Formats properties, each a name and a value.
pub(super) fn properties(rows: impl IntoIterator<Item = (&'static str, String)>) -> String {
    render(borderless(), rows.into_iter().map(|(name, value)| [name.to_owned(), value]))
}

fn borderless() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

fn render<const N: usize>(mut table: Table, rows: impl IntoIterator<Item = [String; N]>) -> String {
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| printable(&cell))));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(cells: [&str; N]) -> [String; N] {
        cells.map(str::to_owned)
    }

    #[test]
    fn wide_characters_keep_columns_aligned() {
        let table = columns(["USER", "NAME"], [row(["kim", "김"]), row(["leandra", "Lea"])]);
        assert_eq!(table, "USER     NAME\nkim      김\nleandra  Lea");
        let wide = columns(["NAME", "STATE"], [row(["김김김", "present"]), row(["Lea", "present"])]);
        assert_eq!(wide, "NAME    STATE\n김김김  present\nLea     present");
    }

    #[test]
    fn properties_are_aligned() {
        assert_eq!(
            properties([("room", "a".to_owned()), ("leader", "b".to_owned())]),
            "room    a\nleader  b"
        );
    }

    #[test]
    fn names_cannot_control_the_terminal() {
        let table = columns(["NAME"], [row(["\u{1b}[2J\n\u{202e}x"])]);
        assert_eq!(table, "NAME\n\\u{1b}[2J\\u{a}\\u{202e}x");
    }
}
