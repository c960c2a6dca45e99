//! Says in one line what is wrong with a query: the grammar's own reports name rules that nobody knows.

use jsonpath_rust::parser::errors::JsonPathError;

use super::QueryError;

/// Checks what can be said better than the grammar does, and the depth: the start, quotes and brackets.
pub(super) fn shape(text: &str, max_depth: usize) -> Result<(), QueryError> {
    if text.trim().is_empty() {
        return Err(QueryError::at(0, "a JSONPath must not be empty; `$` is the whole document"));
    }
    if !text.starts_with('$') {
        let message = match text.trim_start() {
            trimmed if trimmed.len() < text.len() && trimmed.starts_with('$') => "a space stands before the `$`".to_owned(),
            trimmed if trimmed.starts_with(['.', '[']) => format!("a JSONPath starts with `$`, as in `${trimmed}`"),
            trimmed if trimmed.starts_with('@') => "`@` is for filters; a JSONPath starts with `$`".to_owned(),
            trimmed => format!("a JSONPath starts with `$`, as in `$.{trimmed}`"),
        };
        return Err(QueryError::at(0, message));
    }
    let trimmed = text.trim_end();
    if trimmed.len() < text.len() {
        return Err(QueryError::at(trimmed.len(), "a space stands behind the path"));
    }
    brackets(text, max_depth)
}

/// Every quote closed, every bracket closed by its own kind, none deeper than allowed.
fn brackets(text: &str, max_depth: usize) -> Result<(), QueryError> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' | '"' => quoted(&mut chars, at, c)?,
            '[' | '(' => {
                open.push((at, c));
                if open.len() > max_depth {
                    return Err(QueryError::at(at, format!("brackets and parentheses may nest {max_depth} deep at most")));
                }
            }
            ']' | ')' => {
                let expected = if c == ']' { '[' } else { '(' };
                match open.pop() {
                    Some((_, opened)) if opened == expected => {}
                    Some((from, opened)) => {
                        return Err(QueryError::at(at, format!("`{c}` closes the `{opened}` at character {}", from + 1)));
                    }
                    None => return Err(QueryError::at(at, format!("`{c}` without its `{expected}`"))),
                }
            }
            _ => {}
        }
    }
    match open.pop() {
        Some((at, c)) => Err(QueryError::at(at, format!("the `{c}` is never closed"))),
        None => Ok(()),
    }
}

fn quoted(chars: &mut std::str::CharIndices<'_>, from: usize, quote: char) -> Result<(), QueryError> {
    let mut other = false;
    while let Some((_, c)) = chars.next() {
        if c == quote {
            return Ok(());
        }
        if c == '\\' {
            chars.next();
        }
        other |= (c == '\'' || c == '"') && c != quote;
    }
    let hint = if other { "; single and double quotes don't mix" } else { "" };
    Err(QueryError::at(from, format!("the quote `{quote}` is never closed{hint}")))
}

/// What the grammar refused.
pub(super) fn refusal(text: &str, error: &JsonPathError) -> QueryError {
    let Some(at) = position(text, &error.to_string()) else {
        return QueryError::new(match error {
            JsonPathError::InvalidNumber(_) => "a number in the path is out of range",
            JsonPathError::InvalidJsonPath(reason) if reason.contains("arguments") => {
                "a function has the wrong number of arguments"
            }
            JsonPathError::InvalidJsonPath(reason) if reason.contains("not comparable") => {
                "`match()` and `search()` are true or false and can't be compared"
            }
            JsonPathError::InvalidJsonPath(reason) if reason.contains("a node, got") => "`count()` takes a path",
            JsonPathError::InvalidJsonPath(reason) if reason.contains("segment") => "a space stands behind a `.`",
            JsonPathError::InvalidJsonPath(reason) if reason.contains("control character") => {
                "a control character in a quoted name; write it as `\\u0000`"
            }
            _ => "not a JSONPath (RFC 9535)",
        });
    };
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at..).unwrap_or_default();
    // Where the grammar gave up is often one step behind the mistake.
    let context = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    let message = match after.chars().next() {
        _ if before.ends_with('.') && after.starts_with('[') => "no `.` before `[`".to_owned(),
        None if before.ends_with('.') => "a name is missing behind the `.`".to_owned(),
        None => "the path ends too early".to_owned(),
        Some(c) if context.ends_with('[') && (c.is_alphabetic() || c == '_') => {
            let name: String = after.chars().take_while(|c| *c != ']').collect();
            format!("a name in brackets needs quotes: `['{name}']`")
        }
        Some('-' | ' ' | '/' | ':' | '@') if context.ends_with('.') => {
            let rest = &before[context.len()..];
            let tail: String = after.chars().take_while(|c| !matches!(c, '.' | '[')).collect();
            format!("a name with `{}` needs brackets: `['{rest}{tail}']`", after.chars().next().unwrap_or(' '))
        }
        Some('0'..='9') if before.ends_with('.') => "an index stands in brackets: `[0]`".to_owned(),
        Some('=') => "`=` compares nothing; equality is `==`".to_owned(),
        Some('(') if context.ends_with('.') => "functions stand in filters only: `[?length(@.a) > 1]`".to_owned(),
        Some('a' | 'o') if after.starts_with("and ") || after.starts_with("or ") => {
            "conditions are joined by `&&` and `||`".to_owned()
        }
        Some(']') if before.ends_with('[') => "nothing stands in the brackets; all elements are `[*]`".to_owned(),
        Some(c) => format!("unexpected `{c}`"),
    };
    QueryError::at(at, message)
}

/// The offset in the grammar's report, which shows it as ` --> line:column` only (columns count characters).
fn position(text: &str, report: &str) -> Option<usize> {
    let (_, rest) = report.split_once("--> ")?;
    let (line, rest) = rest.split_once(':')?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let (line, column) = (line.trim().parse::<usize>().ok()?, column.parse::<usize>().ok()?);
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(start..)?;
    Some(start + line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(at, _)| at))
}

/// What is wrong with a regular expression.
pub(super) fn pattern(text: &str, error: &regex::Error) -> QueryError {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            QueryError::new(format!("the regular expression is too large (more than {} KiB compiled)", limit / 1024))
        }
        regex::Error::Syntax(report) => {
            // The report draws a caret under the text; its last line is the reason.
            let reason = report.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let caret = report.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
            let offset = caret
                .filter(|_| !text.contains('\n'))
                .and_then(|column| column.checked_sub(4))
                .and_then(|column| text.char_indices().nth(column).map(|(at, _)| at).or(Some(text.len())));
            QueryError { message: format!("not a regular expression: {reason}"), offset }
        }
        _ => QueryError::new("not a regular expression"),
    }
}
