//! How our filters tell their caller what is wrong: through the message of a Tera error, marked so that nothing else looks
//! like it. A message of ours never holds a value, since a value may be secret.

const MARK: char = '\u{1}';

/// What one of our filters refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// The path with this number has no value.
    Undefined(usize),
    /// The written expression with this number has a value that can't stand there; the text goes on behind its name.
    Output(usize, String),
    /// A filter or function says so itself.
    Say(String),
}

impl Signal {
    /// The signal as an error for Tera to carry.
    pub(super) fn error(&self) -> tera::Error {
        tera::Error::message(match self {
            Self::Undefined(path) => format!("{MARK}u:{path}:"),
            Self::Output(output, text) => format!("{MARK}o:{output}:{text}"),
            Self::Say(text) => format!("{MARK}s:0:{text}"),
        })
    }

    /// The signal in the message of an error, if it is one.
    pub(super) fn read(message: &str) -> Option<Self> {
        let mut parts = message.strip_prefix(MARK)?.splitn(3, ':');
        let (kind, number, text) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        match kind {
            "u" => Some(Self::Undefined(number)),
            "o" => Some(Self::Output(number, text.to_owned())),
            "s" => Some(Self::Say(text.to_owned())),
            _ => None,
        }
    }
}

/// An error of a filter or function that says so itself.
pub(super) fn say(message: impl Into<String>) -> tera::Error {
    Signal::Say(message.into()).error()
}
