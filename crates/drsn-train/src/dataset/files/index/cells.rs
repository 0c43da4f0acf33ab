//! The cells of a line.

/// The column separator. No column name contains one.
pub(super) fn separator(header: &str) -> char {
    ['\t', ';'].into_iter().find(|&separator| header.contains(separator)).unwrap_or(',')
}

/// Splits a line into cells, without quotes and surrounding blanks.
pub(super) fn cells(line: &str, separator: char) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A doubled quote inside a quoted cell is an escaped quote.
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            c if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if quoted {
        return Err("a quoted cell is not closed".to_owned());
    }
    cells.push(cell);
    Ok(cells.into_iter().map(|cell| cell.trim().to_owned()).collect())
}
