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

/// Whether text for one stream is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Text with colour or without.
    #[must_use]
    pub const fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Text without colour.
    #[must_use]
    pub const fn plain() -> Self {
        Self::new(false)
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
