//! Columns of text, aligned.

/// Lines of cells, padded so that columns stand below each other; a column of which a cell in the first line
/// is marked in `right` is aligned to the right. No line ends in blanks.
pub(super) fn grid(lines: &[Vec<String>], right: &[bool]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if column > 0 {
                row.push(' ');
            }
            let blanks = " ".repeat(width - cell.chars().count());
            if right.get(column).copied().unwrap_or(false) {
                row.push_str(&blanks);
                row.push_str(cell);
            } else {
                row.push_str(cell);
                row.push_str(&blanks);
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Cuts each line to so many characters.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let mut short = String::with_capacity(text.len());
    for line in text.lines() {
        short.extend(line.chars().take(columns));
        short.push('\n');
    }
    short
}

/// Text of others for a terminal: what would move the cursor or change its state is written as an escape.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [
            line(&["A", "NUMBER", "LAST"]),
            line(&["long", "1", ""]),
            line(&["é", "22", "x y"]),
        ];
        assert_eq!(
            grid(&lines, &[false, true]),
            "A    NUMBER LAST\nlong      1\né        22 x y\n"
        );
        assert_eq!(grid(&[], &[]), "");
    }

    #[test]
    fn lines_are_cut_by_characters() {
        assert_eq!(cut("éàü\nab\n", 2), "éà\nab\n");
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(plain("a\x1b[2Jé\n"), "a\\u{1b}[2Jé\\n");
    }
}
