//! `--only-host` and `RUNNER_ONLY_HOSTS`: the only hosts that a run may connect to, with or without secrets.

use std::fmt;

use url::Url;

use super::origin::Origin;
use super::refusal::Refusal;
use super::rule::HostRule;

/// What holds a run to a list of hosts. Nothing in a file can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// `--only-host`.
    Flag,
    /// `RUNNER_ONLY_HOSTS` in the process environment.
    Process,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "`--only-host`",
            Self::Process => "RUNNER_ONLY_HOSTS",
        })
    }
}

/// Where a run may connect to at all. Of two lists both must name an origin: whoever sets one outside of a checkout relies on it,
/// and a script of the checkout can only narrow it.
#[derive(Debug, Clone, Default)]
pub struct OnlyHosts {
    lists: Vec<(HeldBy, Vec<HostRule>)>,
    own: Option<Origin>,
}

impl OnlyHosts {
    /// Holds the run to `rules`, and to what held it before.
    pub fn hold(&mut self, by: HeldBy, rules: Vec<HostRule>) {
        self.lists.push((by, rules));
    }

    /// Admits the embedded server of the run: it is this process, and nobody could name its port beforehand.
    pub fn admit_own(&mut self, origin: Origin) {
        self.own = Some(origin);
    }

    /// Whether anything holds the run.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Whether the run may connect to `url`.
    ///
    /// # Errors
    /// A list does not name its origin, or it has none.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        if !self.is_held() {
            return Ok(());
        }
        match Origin::of(url) {
            Some(origin) => self.check_origin(&origin),
            None => Err(Refusal::NotHttp { scheme: url.scheme().to_owned() }),
        }
    }

    /// As [`Self::check`].
    ///
    /// # Errors
    /// A list does not name `origin`.
    pub fn check_origin(&self, origin: &Origin) -> Result<(), Refusal> {
        if self.own.as_ref() == Some(origin) {
            return Ok(());
        }
        let refuses = |rules: &[HostRule]| !rules.iter().any(|rule| rule.permits(origin));
        let held_by: Vec<HeldBy> = self.lists.iter().filter(|(_, rules)| refuses(rules)).map(|(by, _)| *by).collect();
        if held_by.is_empty() { Ok(()) } else { Err(Refusal::OnlyHost { origin: origin.clone(), held_by }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(lists: &[(HeldBy, &[&str])]) -> OnlyHosts {
        let mut only = OnlyHosts::default();
        for (by, entries) in lists {
            only.hold(*by, entries.iter().map(|entry| entry.parse().unwrap()).collect());
        }
        only
    }

    #[test]
    fn only_what_every_list_names_is_connected_to() {
        let table = [
            ("https://a.test/x", true, true, true),
            ("https://b.test/x", true, false, false),
            ("https://c.test/x", false, true, false),
            ("http://a.test/x", false, false, false),
            ("https://a.test:8443/x", false, false, false),
            ("https://a.test@c.test/x", false, true, false),
            ("https://d.test/x", false, false, false),
            ("ftp://a.test/x", false, false, false),
        ];
        let flag: (HeldBy, &[&str]) = (HeldBy::Flag, &["a.test", "b.test"]);
        let process: (HeldBy, &[&str]) = (HeldBy::Process, &["a.test", "c.test"]);
        for (url, by_flag, by_process, by_both) in table {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(held(&[flag]).check(&parsed).is_ok(), by_flag, "{url}");
            assert_eq!(held(&[process]).check(&parsed).is_ok(), by_process, "{url}");
            assert_eq!(held(&[flag, process]).check(&parsed).is_ok(), by_both, "{url}");
            assert!(held(&[]).check(&parsed).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_embedded_server_is_admitted_at_its_port_only() {
        let origin = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
        let mut only = held(&[(HeldBy::Process, &["a.test"])]);
        only.admit_own(origin("http://127.0.0.1:4000"));
        assert!(only.check_origin(&origin("http://127.0.0.1:4000/x")).is_ok());
        assert!(only.check_origin(&origin("http://127.0.0.1:4001/x")).is_err());
    }

    #[test]
    fn a_refusal_names_the_lists_that_lack_the_host() {
        let only = held(&[(HeldBy::Flag, &["a.test"]), (HeldBy::Process, &["b.test"])]);
        let table = [
            (
                "https://b.test",
                "`https://b.test` is none of the hosts of `--only-host`",
                "if the run may connect there, add `--only-host b.test`",
            ),
            (
                "http://c.test:81",
                "`http://c.test:81` is none of the hosts of `--only-host` and RUNNER_ONLY_HOSTS",
                "if the run may connect there, add `--only-host http://c.test:81` and `http://c.test:81` to RUNNER_ONLY_HOSTS",
            ),
        ];
        for (url, message, hint) in table {
            let refusal = only.check(&Url::parse(url).unwrap()).unwrap_err();
            assert_eq!((refusal.to_string().as_str(), refusal.hint().as_deref()), (message, Some(hint)));
        }
    }
}
