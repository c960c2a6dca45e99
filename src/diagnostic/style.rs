//! Colour: the only user of `colored`, decided once for each stream.

use colored::Colorize;

/// What a piece of text is, so that it can be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// The word `error`, a failure mark.
    Error,
    /// The word `warning`.
    Warning,
    /// A passed mark.
    Good,
    /// A frame, a hint, what is less important.
    Faint,
    /// What a reader looks for first.
    Strong,
}

/// How text for one stream is written: whether it is painted, and how much fits on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
    columns: Option<usize>,
}

impl Style {
    /// Text with colour or without.
    #[must_use]
    pub const fn new(colour: bool) -> Self {
        Self { colour, columns: None }
    }

    /// Text without colour.
    #[must_use]
    pub const fn plain() -> Self {
        Self::new(false)
    }

    /// Text for a terminal of that many columns; `None` where nothing is wrapped or cut to fit.
    #[must_use]
    pub const fn with_columns(self, columns: Option<usize>) -> Self {
        Self { columns, ..self }
    }

    /// How many columns fit on a line, where that is known.
    #[must_use]
    pub const fn columns(self) -> Option<usize> {
        self.columns
    }

    /// Paints `text`.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        // `colored` looks at stdout only; the decision was made for this stream, so it is forced here.
        colored::control::set_override(true);
        let painted = match paint {
            Paint::Error => text.red().bold(),
            Paint::Warning => text.yellow().bold(),
            Paint::Good => text.green(),
            Paint::Faint => text.dimmed(),
            Paint::Strong => text.bold(),
        };
        painted.to_string()
    }
}
