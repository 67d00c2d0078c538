//! Several rows in one statement, because each exchange with a server costs more than a row.

use super::{Args, Inner, Tx, before, postgres, sqlite};
use crate::contract::Answer;
use crate::error::StoreError;
use crate::sql::Sql;
use sqlx::AssertSqlSafe;

/// So many rows go together, as far as there are as many; few sizes, because each is a statement to prepare.
const GROUPS: [usize; 3] = [128, 16, 1];

impl Tx {
    /// Inserts rows with a statement that has one group `VALUES ($1, …, $n)` and no other argument. Answers how many rows it
    /// touched.
    pub async fn write_many(&mut self, sql: Sql, rows: Vec<Args<'_>>) -> Answer<u64> {
        let (mut count, mut rest) = (0, rows.as_slice());
        while let Some(columns) = rest.first().map(Vec::len) {
            let size = GROUPS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
            let (group, more) = rest.split_at(size);
            rest = more;
            let until = self.until;
            count += match &mut self.inner {
                Inner::Sqlite(tx) => {
                    let (text, order) = repeated(sql.sqlite()?, columns, size, Holders::Unnamed)?;
                    let args: Args<'_> =
                        group.iter().flat_map(|row| order.iter().filter_map(|at| row.get(*at).cloned())).collect();
                    before(until, sqlite::execute(&mut **tx, AssertSqlSafe(text), &args)).await?
                }
                Inner::Postgres(tx) => {
                    let (text, _) = repeated(sql.postgres()?, columns, size, Holders::Numbered)?;
                    let args: Args<'_> = group.iter().flatten().cloned().collect();
                    before(until, postgres::execute(&mut **tx, AssertSqlSafe(text), &args)).await?
                }
            };
        }
        self.changed |= count > 0;
        Ok(count)
    }
}

/// How a statement names its arguments.
#[derive(Clone, Copy, PartialEq)]
enum Holders {
    /// `$1`, counted on from row to row.
    Numbered,
    /// `?`, in the order in which they stand there. SQLite looks the name of each argument up in a list of all of them: with a
    /// thousand arguments that costs more than the rows.
    Unnamed,
}

/// The statement with its group of values so many times, and which arguments of a row stand in the group, in order.
fn repeated(text: &'static str, columns: usize, rows: usize, holders: Holders) -> Answer<(String, Vec<usize>)> {
    const UNFIT: StoreError = StoreError::Invalid("a statement without one group of values");
    let (head, rest) = text.split_once("VALUES (").ok_or(UNFIT)?;
    let (values, tail) = rest.split_at(closing(rest).ok_or(UNFIT)?);
    let tail = &tail[1..];
    if tail.contains('$') || head.contains('$') {
        return Err(UNFIT);
    }
    let mut parts = values.split('$');
    let first = parts.next().unwrap_or_default();
    let parts: Vec<(usize, &str)> = parts
        .map(|part| {
            let digits = part.len() - part.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let place = part[..digits].parse::<usize>().ok().filter(|place| (1..=columns).contains(place));
            Ok((place.ok_or(UNFIT)?, &part[digits..]))
        })
        .collect::<Answer<_>>()?;
    let mut repeated = format!("{head}VALUES ");
    for row in 0..rows {
        repeated.push_str(if row == 0 { "(" } else { ", (" });
        repeated.push_str(first);
        for (place, rest) in &parts {
            match holders {
                Holders::Numbered => repeated.push_str(&format!("${}", place + row * columns)),
                Holders::Unnamed => repeated.push('?'),
            }
            repeated.push_str(rest);
        }
        repeated.push(')');
    }
    repeated.push_str(tail);
    Ok((repeated, parts.into_iter().map(|(place, _)| place - 1).collect()))
}

/// Where the parenthesis closes that was opened before this text. A value may be an expression with its own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_u32;
    text.char_indices().find_map(|(at, char)| {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on_from_row_to_row() {
        let numbered =
            |text, columns, rows| repeated(text, columns, rows, Holders::Numbered).map(|(repeated, _)| repeated);
        let text = "INSERT INTO t (a, b, c) VALUES ($2, $1, 1) ON CONFLICT DO NOTHING";
        let three = "INSERT INTO t (a, b, c) VALUES ($2, $1, 1), ($4, $3, 1), ($6, $5, 1) ON CONFLICT DO NOTHING";
        assert_eq!(numbered(text, 2, 3), Ok(three.to_owned()));
        let text = "INSERT INTO t (a, b) VALUES ($1, COALESCE($2, (SELECT b FROM u WHERE a = $1)))";
        let two = "INSERT INTO t (a, b) VALUES ($1, COALESCE($2, (SELECT b FROM u WHERE a = $1))), \
            ($3, COALESCE($4, (SELECT b FROM u WHERE a = $3)))";
        assert_eq!(numbered(text, 2, 2), Ok(two.to_owned()));
        assert!(numbered("UPDATE t SET a = $1", 1, 2).is_err());
        assert!(numbered("INSERT INTO t (a) VALUES ($1", 1, 2).is_err());
        assert!(numbered("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $2", 1, 2).is_err());
        assert!(numbered("INSERT INTO t (a, b) VALUES ($1, $3)", 2, 2).is_err(), "more than a row has");
    }

    #[test]
    fn unnamed_arguments_come_in_the_order_in_which_they_stand() {
        let text = "INSERT INTO t (a, b) VALUES ($2, COALESCE($1, (SELECT b FROM u WHERE a = $2)))";
        let two = "INSERT INTO t (a, b) VALUES (?, COALESCE(?, (SELECT b FROM u WHERE a = ?))), \
            (?, COALESCE(?, (SELECT b FROM u WHERE a = ?)))";
        assert_eq!(repeated(text, 2, 2, Holders::Unnamed), Ok((two.to_owned(), vec![1, 0, 1])));
    }
}
