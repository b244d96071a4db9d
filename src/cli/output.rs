//! What all commands share in what they print: text or JSON, tables, colour only on a terminal.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};
use serde::Serialize;

use super::Ended;

/// The form of what a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// Writes `text` to standard output and ends as `ended`, unless it can't be written.
pub(crate) fn print(text: &[u8], ended: Ended) -> Ended {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => ended,
        // The reader (`head`, `less`) has seen enough.
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => ended,
        Err(fault) => {
            complain(format!("standard output: {fault}"));
            Ended::Unable
        }
    }
}

/// Writes `value` as indented JSON, like [`print`].
pub(crate) fn print_json(value: &impl Serialize, ended: Ended) -> Ended {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(format!("{text}\n").as_bytes(), ended),
        Err(fault) => {
            complain(format!("can't be written as JSON: {fault}"));
            Ended::Unable
        }
    }
}

/// Writes a line to standard error.
pub(crate) fn complain(message: impl fmt::Display) {
    // Nobody is left to be told that standard error is closed.
    writeln!(io::stderr(), "{message}").unwrap_or_default();
}

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { on: false };

    /// Colours if standard output is a terminal and `NO_COLOR` is not set.
    pub(crate) fn of_stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// The same for standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(stream: &impl IsTerminal) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: stream.is_terminal() && !refused }
    }

    /// What went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What is wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// What should be known.
    pub(crate) fn caution(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// A name before a value.
    pub(crate) fn name(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// What stands out.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// How a cell of a [`Table`] is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
}

/// A table: with lines and as wide as the terminal on one, else plain aligned columns.
pub(crate) struct Table {
    table: comfy_table::Table,
    colour: bool,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = Paint::of_stdout().on;
        let mut table = comfy_table::Table::new();
        if terminal {
            table.load_style(presets::UTF8_FULL);
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.load_style(presets::NOTHING).force_no_tty();
        }
        let strong = |text: &str| {
            let cell = Cell::new(text);
            if colour { cell.add_attribute(Attribute::Bold) } else { cell }
        };
        table.set_header(columns.map(strong));
        Self { table, colour }
    }

    /// Adds a row of plain cells.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.toned(cells.map(|text| (text, Tone::Plain)));
    }

    /// Adds a row of coloured cells.
    pub(crate) fn toned<const N: usize>(&mut self, cells: [(&str, Tone); N]) {
        let cell = |(text, tone)| {
            let cell = Cell::new(printable(text));
            match tone {
                Tone::Good if self.colour => cell.fg(Color::Green),
                Tone::Bad if self.colour => cell.fg(Color::Red),
                Tone::Plain | Tone::Good | Tone::Bad => cell,
            }
        };
        let cells = cells.map(cell);
        self.table.add_row(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
    }
}

/// `text` without what would steer the terminal: a token or an answer may hold anything.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    text.chars().map(|letter| if harmless(letter) { letter } else { '\u{fffd}' }).collect()
}

/// A cell of CSV: what a spreadsheet would take for a formula, and somebody else may have written,
/// gets an apostrophe before it, which spreadsheets don't show.
pub(crate) fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}

/// `1 mistake`, `2 mistakes`.
pub(crate) fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// Those of `known` that resemble `word`, the nearest first.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Vec<&'k str> {
    const MOST: usize = 3;
    let within = (word.chars().count() / 3).max(1);
    let distance = |name: &'k str| (strsim::damerau_levenshtein(word, name), name);
    let mut near: Vec<_> =
        known.map(distance).filter(|(distance, _)| *distance <= within).collect();
    near.sort_unstable();
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\tc\nd\r"), "a\u{fffd}[31mb\tc\nd\u{fffd}");
    }

    #[test]
    fn nothing_is_a_formula() {
        for (text, expected) in
            [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("a=1", "a=1"), ("", "")]
        {
            assert_eq!(harmless(text.into()), expected);
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let known = ["slots", "book", "metadata", "slot"];
        for (word, expected) in [
            ("slts", vec!["slots"]),
            ("slot", vec!["slot", "slots"]),
            ("metdata", vec!["metadata"]),
            ("cancel", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
        }
    }

    #[test]
    fn a_table_off_a_terminal_is_plain() {
        let mut table = Table::new(["name", "value"]);
        table.row(["a", "1"]);
        table.toned([("bb", Tone::Bad), ("2\n3", Tone::Good)]);
        let text = table.to_string();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
    }
}
