//! Lists of names with their values: columns on a wide terminal, lines below one another on a narrow one.

use crate::diagnostic::{Paint, Style, printable, wrapped};
use crate::mask::Masker;
use crate::report::{columns, fit};

/// The least room for a value beside its origin; with less the origin gets a line of its own.
const LEAST: usize = 20;
/// A longer value does not push the origins of all others away.
const LARGEST: usize = 48;
/// Stands before a line and between columns.
const GAP: &str = "  ";

/// One line of a table, with what is worth saying about it.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
    /// How the value is painted, when it is not plain.
    pub(super) paint: Option<Paint>,
    /// Where it comes from.
    pub(super) origin: String,
    pub(super) remarks: Vec<String>,
}

/// Rows under a heading.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

/// How tables are written.
pub(super) struct Table<'m> {
    pub(super) style: Style,
    /// The columns of the terminal; without one nothing is cut or wrapped.
    pub(super) width: Option<usize>,
    /// Values are masked before they are cut.
    pub(super) masker: &'m Masker,
    /// Whether long values are shown in full on a terminal too.
    pub(super) whole: bool,
}

/// The columns of all sections together.
struct Columns {
    /// Where values begin.
    value: usize,
    /// Where origins begin.
    origin: usize,
    /// Whether there is room for origins behind the values.
    beside: bool,
}

impl Table<'_> {
    /// The sections that have rows, an empty line before each.
    pub(super) fn render(&self, sections: &[Section]) -> String {
        let rows = || sections.iter().flat_map(|section| &section.rows);
        let widest = |text: &dyn Fn(&Row) -> &str| rows().map(|row| columns(&self.clean(text(row)))).max().unwrap_or_default();
        // A name without a value may reach into the room of the values.
        let name = widest(&|row| if row.value.is_empty() { "" } else { &row.name });
        let alone = widest(&|row| if row.value.is_empty() { &row.name } else { "" });
        let value = widest(&|row| &row.value).min(LARGEST);
        let start = GAP.len() + name + if name > 0 { GAP.len() } else { 0 };
        let wanted = (start + value).max(GAP.len() + alone);
        let limit = self.width.map(|width| width.saturating_sub(widest(&|row| &row.origin) + GAP.len()));
        let end = limit.map_or(wanted, |limit| limit.min(wanted));
        let sizes = Columns { value: start, origin: end + GAP.len(), beside: end >= wanted.min(start + LEAST) };
        let mut out = String::new();
        for section in sections.iter().filter(|section| !section.rows.is_empty()) {
            out += &format!("\n{}\n", self.style.paint(Paint::Strong, section.title));
            section.rows.iter().for_each(|row| self.row(row, &sizes, &mut out));
        }
        out
    }

    fn row(&self, row: &Row, sizes: &Columns, out: &mut String) {
        let name = self.clean(&row.name);
        let value = self.clean(&row.value);
        let origin = self.clean(&row.origin);
        let behind = self.width.map(|width| width.saturating_sub(sizes.value).max(LEAST));
        let mut line = format!("{GAP}{name}");
        let mut used = GAP.len() + columns(&name);
        if !value.is_empty() {
            let fits = sizes.beside && sizes.value + columns(&value) + GAP.len() <= sizes.origin;
            let shown = match behind.filter(|_| !fits && !self.whole) {
                Some(room) => fit(&value, room).into_owned(),
                None => value,
            };
            line += &" ".repeat(sizes.value.saturating_sub(used));
            line += &row.paint.map_or_else(|| shown.clone(), |paint| self.style.paint(paint, &shown));
            used = sizes.value + columns(&shown);
        }
        let beside = sizes.beside && used + GAP.len() <= sizes.origin && !origin.is_empty();
        if beside {
            line += &" ".repeat(sizes.origin - used);
            line += &self.style.paint(Paint::Faint, &origin);
        }
        *out += &format!("{line}\n");
        let below = (!beside && !origin.is_empty()).then_some(origin);
        for text in below.into_iter().chain(row.remarks.iter().map(|remark| self.clean(remark))) {
            for line in wrapped(&text, behind) {
                *out += &format!("{}{}\n", " ".repeat(sizes.value), self.style.paint(Paint::Faint, &line));
            }
        }
    }

    /// Text as it may be printed: masked before anything else happens to it.
    pub(super) fn clean(&self, text: &str) -> String {
        printable(&self.masker.mask(text)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn row(name: &str, value: &str, origin: &str, remarks: &[&str]) -> Row {
        let remarks = remarks.iter().map(|remark| (*remark).to_owned()).collect();
        Row { name: name.to_owned(), value: value.to_owned(), origin: origin.to_owned(), remarks, paint: None }
    }

    fn shown(width: Option<usize>, whole: bool, rows: Vec<Row>) -> String {
        let masker = Masker::new();
        masker.learn(&Secret::new("s3cr3t-text"));
        let table = Table { style: Style::plain(), width, masker: &masker, whole };
        table.render(&[Section { title: "empty", rows: Vec::new() }, Section { title: "things", rows }])
    }

    #[test]
    fn columns_stand_below_one_another() {
        let rows = vec![
            row("a", "1", "dev.yaml:1", &[]),
            row("größer", "zwölf", "dev.yaml:12", &["a remark"]),
            row("none", "", "dev.yaml:3", &[]),
            row("host", "", "", &[]),
        ];
        let expected = "
things
  a       1      dev.yaml:1
  größer  zwölf  dev.yaml:12
          a remark
  none           dev.yaml:3
  host
";
        assert_eq!(shown(None, false, rows), expected);
    }

    #[test]
    fn a_value_that_is_too_long_gets_the_line_and_is_cut_only_on_a_terminal() {
        let long = "x".repeat(60);
        let rows = || {
            vec![row("a", &long, "dev.yaml:1", &[]), row("b", "1", "dev.yaml:2", &["one two three four five six seven eight"])]
        };
        let cut = format!(
            "
things
  a  {}…
     dev.yaml:1
  b  1                        dev.yaml:2
     one two three four five six seven
     eight
",
            "x".repeat(34)
        );
        assert_eq!(shown(Some(40), false, rows()), cut);
        assert!(shown(Some(40), true, rows()).contains(&long));
        assert!(shown(None, false, rows()).contains(&long));
    }

    #[test]
    fn a_narrow_terminal_has_origins_on_their_own_lines() {
        let rows = vec![row("name", "a value of thirty characters!!", "environments/dev.yaml:1", &[])];
        let expected = "\nthings\n  name  a value of thirty characters!!\n        environments/dev.yaml:1\n";
        assert_eq!(shown(Some(40), false, rows), expected);
    }

    #[test]
    fn a_secret_is_masked_before_the_cut_and_nothing_acts_on_the_terminal() {
        for before in 0..60 {
            let text = shown(Some(40), false, vec![row("a", &format!("{}s3cr3t-text", "x".repeat(before)), "\u{1B}[2J", &[])]);
            assert!(!text.contains("s3c") && !text.contains('\u{1B}'), "{before}: {text}");
        }
    }
}
