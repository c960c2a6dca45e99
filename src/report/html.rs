//! An error page in one line: its title, else its text.

/// Elements whose content is not read by people.
const UNREAD: [&str; 4] = ["script", "style", "noscript", "template"];

/// Whether the text is a page and not, say, XML.
pub(super) fn is_page(content_type: Option<&str>, text: &str) -> bool {
    let start = text.trim_start();
    let begins = |with: &str| start.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    content_type.is_some_and(|kind| kind.contains("html")) || begins("<!doctype html") || begins("<html")
}

/// The title of the page, else its text without tags; white space is left as it stands.
pub(super) fn summary(page: &str) -> String {
    let title = element(page, "title").map(entities).filter(|title| !title.trim().is_empty());
    title.unwrap_or_else(|| entities(&untagged(page)))
}

/// The content of the first element of that name.
fn element<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    let lower = page.to_ascii_lowercase();
    let open = lower.find(&format!("<{name}"))?;
    let start = open + lower.get(open..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find(&format!("</{name}"))?;
    page.get(start..end)
}

/// The text between the tags.
fn untagged(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let mut out = String::new();
    let mut at = 0;
    while let Some(open) = page.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
        out.push_str(page.get(at..open).unwrap_or_default());
        out.push(' ');
        let tag = lower.get(open + 1..).unwrap_or_default();
        let (end, inside) = match UNREAD.iter().find(|name| tag.starts_with(**name)) {
            Some(name) => (format!("</{name}"), tag),
            None if tag.starts_with("!--") => ("-->".to_owned(), tag),
            None => (">".to_owned(), tag),
        };
        // What never ends hides the rest, as in a browser.
        let Some(found) = inside.find(&end) else { return out };
        at = open + 1 + found + if end.starts_with("</") { 0 } else { end.len() };
    }
    out.push_str(page.get(at..).unwrap_or_default());
    out
}

/// The few entities that error pages use.
fn entities(text: &str) -> String {
    // `&amp;` comes last: `&amp;lt;` is the text `&lt;`.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (entity, meaning)| if text.contains('&') { text.replace(entity, meaning) } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::squeeze;

    #[test]
    fn a_page_in_one_line() {
        let table = [
            ("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "502 Bad Gateway"),
            ("<HTML><TITLE lang=en>\n Not &lt;here&gt; &amp;amp; now</TITLE>", "Not <here> &amp; now"),
            ("<html><title> </title><style>p{}</style><p>It <b>broke</b></p><script>if (a<b) {}</script>!", "It broke !"),
            ("<p>one<!-- not > this -->two", "one two"),
            ("<p>open <script>never closed", "open"),
            ("no tags < at all", "no tags"),
        ];
        for (page, line) in table {
            assert_eq!(squeeze(&summary(page)), line);
        }
        assert!(is_page(None, " <!DOCTYPE html>"));
        assert!(is_page(Some("text/html"), "x"));
        assert!(!is_page(Some("application/xml"), "<error/>"));
    }
}
