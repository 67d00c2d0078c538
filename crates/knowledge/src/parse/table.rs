//! Spreadsheets and separated values.

use super::office;
use crate::document::{Kind, Part, Structured};
use crate::refusal::Refusal;
use base::limits;
use calamine::{Data, Reader, Xlsx};
use std::io::Cursor;

/// Characters that separate values, most usual first.
const SEPARATORS: [u8; 4] = *b",;\t|";
/// Rows that decide what separates values.
const SAMPLE_ROWS: usize = 50;

/// What separates the values of a text, when it is a table at all: every row has the same number of at least two cells.
pub(crate) fn separator(text: &str) -> Option<u8> {
    let fits = |separator: &u8| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(*separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let widths: Vec<usize> =
            reader.records().take(SAMPLE_ROWS).map_while(Result::ok).map(|row| row.len()).collect();
        // Two lines of prose may have a comma each; three that are alike are a table.
        widths.len() >= 3 && widths[0] >= 2 && widths.iter().all(|width| *width == widths[0])
    };
    SEPARATORS.into_iter().find(fits)
}

/// Reads separated values.
pub fn csv(text: &str) -> Result<Structured, Refusal> {
    let first_line = text.lines().next().unwrap_or_default();
    let usual = || SEPARATORS.into_iter().max_by_key(|mark| first_line.bytes().filter(|byte| byte == mark).count());
    let separator = separator(text).or_else(usual).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| Refusal::Broken(format!("the table cannot be read: {error}")))?;
        rows.push(record.iter().map(str::to_owned).collect());
        if rows.len() > limits::KNOWLEDGE_TABLE_ROWS_MAX {
            return Err(Refusal::Kind(format!("the table has more than {} rows", limits::KNOWLEDGE_TABLE_ROWS_MAX)));
        }
    }
    let mut document = Structured::new(Kind::Csv);
    document.push_table(None, rows);
    Ok(document)
}

/// Reads a spreadsheet: each sheet is a heading and a table.
pub fn xlsx(bytes: &[u8]) -> Result<Structured, Refusal> {
    office::check_archive(bytes)?;
    let broken = |error: calamine::XlsxError| match error {
        calamine::XlsxError::Password => Refusal::Encrypted,
        other => Refusal::Broken(format!("the spreadsheet cannot be read: {other}")),
    };
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let mut document = Structured::new(Kind::Xlsx);
    let names = book.sheet_names();
    let mut cells_left = limits::KNOWLEDGE_TABLE_ROWS_MAX * 20;
    for (at, name) in names.iter().enumerate() {
        let page = u32::try_from(at + 1).ok();
        let range = book.worksheet_range(name).map_err(broken)?;
        cells_left = cells_left
            .checked_sub(range.width() * range.height())
            .ok_or_else(|| Refusal::Kind("the spreadsheet has more cells than a document may".into()))?;
        document.push(page, Part::Heading { level: 1, text: name.clone() });
        let rows = range.rows().map(|row| row.iter().map(cell).collect()).collect();
        document.push_table(page, rows);
    }
    document.pages = u32::try_from(names.len()).unwrap_or(u32::MAX);
    Ok(document)
}

/// A cell as a person reads it.
fn cell(data: &Data) -> String {
    match data {
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, ..) = moment.to_ymd_hms_milli();
            let (date, time) = (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}"));
            if moment.is_duration() || moment.as_f64() < 1.0 {
                time
            } else if (hour, minute) == (0, 0) {
                date
            } else {
                format!("{date} {time}")
            }
        }
        Data::Error(_) | Data::Empty => String::new(),
    }
}
