//! The names that variables may have.

use crate::diagnostic::{Diagnostic, Place};

/// Names that mean something of their own in a template.
pub const RESERVED: [&str; 14] =
    ["response", "tokens", "sandbox", "row", "iteration", "loop", "true", "false", "none", "not", "and", "or", "in", "is"];

/// Whether `text` has the form of a name: `[A-Za-z_][A-Za-z0-9_]*`. A reserved name has it too.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What is wrong with `name`, which stands at `place`, as the name of a variable; `None` when it may be one.
#[must_use]
pub fn name_problem(name: &str, place: &Place) -> Option<Diagnostic> {
    if RESERVED.contains(&name) {
        let finding = place.error(format!("`{name}` is reserved and can't be the name of a variable"));
        return Some(finding.help(format!("reserved: {}", RESERVED.join(", "))));
    }
    if is_name(name) {
        return None;
    }
    let finding = place.error(match place.nameable(name) {
        Some(name) => format!("`{name}` can't be the name of a variable"),
        None => "this can't be the name of a variable".to_owned(),
    });
    Some(finding.help("a name is made of letters, digits and `_`, and does not start with a digit"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Hidden, SourceFile, Span};

    #[test]
    fn names_are_ascii_words_that_are_not_reserved() {
        let place = Place::new(&Arc::new(SourceFile::new("f", "", Hidden::Nothing)), Span::default());
        let table = [
            ("access_token", true, true),
            ("_", true, true),
            ("A1", true, true),
            ("loop", true, false),
            ("in", true, false),
            ("inn", true, true),
            ("", false, false),
            ("1a", false, false),
            ("a-b", false, false),
            ("a.b", false, false),
            ("é", false, false),
        ];
        for (name, form, allowed) in table {
            assert_eq!(is_name(name), form, "{name}");
            assert_eq!(name_problem(name, &place).is_none(), allowed, "{name}");
        }
    }
}
