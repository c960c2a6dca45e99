//! The set of origins that secrets may go to.

use std::fmt;

use super::origin::{Origin, Scheme};
use super::rule::HostRule;

/// Where secrets may go: the origins of the environment's URLs, and the entries of `hosts:` and `--allow-host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    origins: Vec<(Origin, String)>,
    rules: Vec<HostRule>,
}

/// One thing that is allowed, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The origin of a variable's value.
    Origin {
        /// The origin.
        origin: &'a Origin,
        /// The variable that names it.
        variable: &'a str,
    },
    /// An entry of `hosts:` or `--allow-host`.
    Rule(&'a HostRule),
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin { origin, variable } => write!(f, "{origin} (from `{variable}`)"),
            Self::Rule(rule) => rule.fmt(f),
        }
    }
}

impl Allowed {
    /// Allows `origin`, which the value of `variable` names. The first variable that names an origin is kept.
    pub fn allow_origin(&mut self, origin: Origin, variable: impl Into<String>) {
        if !self.origins.iter().any(|(known, _)| *known == origin) {
            self.origins.push((origin, variable.into()));
        }
    }

    /// Allows what `rule` names.
    pub fn allow_rule(&mut self, rule: HostRule) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// Whether a secret may go to `origin`.
    #[must_use]
    pub fn permits(&self, origin: &Origin) -> bool {
        self.origins.iter().any(|(known, _)| known == origin) || self.rules.iter().any(|rule| rule.permits(origin))
    }

    /// Whether a person listed `origin` itself in `hosts:` or `--allow-host`; variables do not count.
    #[must_use]
    pub fn lists(&self, origin: &Origin) -> bool {
        self.rules.iter().any(|rule| rule.permits(origin))
    }

    /// Whether `origin` fails only because it is plain http where https is allowed.
    #[must_use]
    pub fn permits_over_https(&self, origin: &Origin) -> bool {
        let https = origin.with_scheme(Scheme::Https);
        let host = https.host();
        let same_host = self.origins.iter().any(|(known, _)| known.scheme() == Scheme::Https && known.host() == host);
        origin.scheme() == Scheme::Http && (same_host || self.permits(&https))
    }

    /// Everything that is allowed, in the order in which it was allowed.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let origins = self.origins.iter().map(|(origin, variable)| Entry::Origin { origin, variable });
        origins.chain(self.rules.iter().map(Entry::Rule))
    }

    /// Whether nothing at all is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty() && self.rules.is_empty()
    }

    /// The entry that would allow `origin`, as it stands in an environment: `hosts: [upload.box.com]`.
    #[must_use]
    pub fn line_to_add(origin: &Origin) -> String {
        let entry = HostRule::exactly(origin).to_string();
        // Bare brackets would start a list inside the list.
        if entry.contains(['[', ']']) { format!("hosts: [\"{entry}\"]") } else { format!("hosts: [{entry}]") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    fn allowed() -> Allowed {
        let mut allowed = Allowed::default();
        allowed.allow_origin(origin("https://api.box.com/2.0"), "api_url");
        allowed.allow_origin(origin("https://api.box.com/oauth2/token"), "token_url");
        allowed.allow_rule("*.boxcloud.com".parse().unwrap());
        allowed
    }

    #[test]
    fn only_what_was_named_is_permitted() {
        let table = [
            ("https://api.box.com/x", true),
            ("https://API.BOX.COM.:443/x", true),
            ("https://dl.boxcloud.com/", true),
            ("http://api.box.com/", false),
            ("https://api.box.com:8443/", false),
            ("https://api.box.com.evil.test/", false),
            ("https://api.box.com@evil.test/", false),
            ("https://box.com/", false),
            ("https://boxcloud.com/", false),
        ];
        for (url, expected) in table {
            assert_eq!(allowed().permits(&origin(url)), expected, "{url}");
        }
        assert!(!Allowed::default().permits(&origin("http://localhost/")));
    }

    #[test]
    fn a_listed_host_is_told_from_one_that_a_variable_names() {
        assert!(allowed().lists(&origin("https://dl.boxcloud.com/")));
        assert!(!allowed().lists(&origin("https://api.box.com/")));
    }

    #[test]
    fn plain_http_to_an_https_host_is_recognised() {
        assert!(allowed().permits_over_https(&origin("http://api.box.com/")));
        assert!(!allowed().permits_over_https(&origin("https://api.box.com/")));
        assert!(!allowed().permits_over_https(&origin("http://evil.test/")));
    }

    #[test]
    fn entries_name_their_variable_once() {
        let shown: Vec<String> = allowed().entries().map(|entry| entry.to_string()).collect();
        assert_eq!(shown, ["https://api.box.com (from `api_url`)", "*.boxcloud.com"]);
    }

    #[test]
    fn the_line_to_add_allows_exactly_that_origin() {
        let table = [
            ("https://upload.box.com/x", "hosts: [upload.box.com]"),
            ("https://upload.box.com:8443/x", "hosts: [upload.box.com:8443]"),
            ("http://upload.box.com/x", "hosts: [http://upload.box.com]"),
            ("http://localhost:3000/x", "hosts: [localhost:3000]"),
            ("https://localhost:3000/x", "hosts: [https://localhost:3000]"),
            ("http://[::1]:3000/x", "hosts: [\"[::1]:3000\"]"),
        ];
        for (url, line) in table {
            assert_eq!(Allowed::line_to_add(&origin(url)), line, "{url}");
            let entry = line.trim_start_matches("hosts: [").strip_suffix(']').unwrap().trim_matches('"');
            assert!(entry.parse::<HostRule>().unwrap().permits(&origin(url)), "{url}");
        }
    }
}
