//! As much of Rust's grammar as the check of the import order needs: words and marks with their lines, without comments, texts
//! and test code.

/// The words and marks of `text` that are product code, each with its line. `::` is one mark.
pub(crate) fn tokens(text: &str) -> Vec<(usize, &str)> {
    without_tests(all(text))
}

fn all(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = comment(rest).or_else(|| literal(rest)).unwrap_or_else(|| {
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push((line, &rest[..length]));
            }
            length
        });
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the comment at the start of `text`.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the text or character literal at the start of `text`. A lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let behind =
            text.strip_prefix(prefix).map(|behind| if prefix.contains('r') { behind.trim_start_matches('#') } else { behind });
        behind.is_some_and(|behind| behind.starts_with('"'))
    });
    if let Some(prefix) = prefix {
        let behind = &text[prefix.len()..];
        if prefix.contains('r') {
            let fence = behind.len() - behind.trim_start_matches('#').len();
            let end = format!("\"{}", "#".repeat(fence));
            let start = prefix.len() + fence + 1;
            return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
        }
        return Some(prefix.len() + quoted(behind, '"'));
    }
    let behind = text.strip_prefix('\'')?;
    let is_character = behind.starts_with('\\') || behind.chars().nth(1) == Some('\'');
    is_character.then(|| quoted(text, '\''))
}

/// The length of what stands in quotes at the start of `text`.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    text.len()
}

/// Leaves out each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<(usize, &str)>) -> Vec<(usize, &str)> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().map(|(_, word)| *word).take(MARK.len()).eq(MARK) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        // The item ends with a semicolon or with its closing brace, whatever stands outside of brackets first.
        let mut depth = 0_usize;
        at += MARK.len();
        while let Some((_, word)) = tokens.get(at) {
            at += 1;
            match *word {
                "{" | "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}
