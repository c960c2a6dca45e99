//! The few settings of a repository that matter here, read from its `config` file (git-config, "Syntax").

/// Settings in the order of the file: section and key in lower case, and the value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    settings: Vec<(String, String, String)>,
}

impl Config {
    /// Reads a file. What has no form sets nothing: git refuses such a file as a whole.
    pub(super) fn read(text: &str) -> Self {
        let mut settings = Vec::new();
        let mut section = String::new();
        let joined = text.replace("\\\r\n", "").replace("\\\n", "");
        for line in joined.lines() {
            let mut line = line.trim().trim_start_matches('\u{FEFF}');
            if let Some((name, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                section = name.trim().to_lowercase();
                line = rest.trim();
            }
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // A key without a value is switched on.
            let (key, text) = line.split_once('=').unwrap_or((line, "true"));
            settings.push((section.clone(), key.trim().to_lowercase(), value(text)));
        }
        Self { settings }
    }

    /// The last value of a key; section and key in lower case.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&str> {
        let matching = |setting: &&(String, String, String)| setting.0 == section && setting.1 == key;
        self.settings.iter().rfind(matching).map(|(.., value)| value.as_str())
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, section: &str, key: &str) -> bool {
        let on = |value: &str| ["true", "yes", "on", "1"].iter().any(|word| value.eq_ignore_ascii_case(word));
        self.last(section, key).is_some_and(on)
    }
}

/// A value without quotes and comment.
fn value(text: &str) -> String {
    let (mut found, mut quoted, mut kept) = (String::new(), false, 0);
    let mut characters = text.trim().chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => found.extend(characters.next()),
            '#' | ';' if !quoted => break,
            c => found.push(c),
        }
        if quoted || !c.is_whitespace() {
            kept = found.len();
        }
    }
    found.truncate(kept);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let cases = [
            ("[core]\n\tworktree = ../x\n", Some("../x")),
            ("[CORE]\nWorkTree=\"a b\"  # note\n", Some("a b")),
            ("[core] worktree = /x ; note", Some("/x")),
            ("[core]\nworktree = one\n[alias]\nworktree = two\n", Some("one")),
            ("[core]\nworktree = one\n[core]\nworktree = two\n", Some("two")),
            ("[core]\nworktree = on\\\ne\n", Some("one")),
            ("[core]\nworktree = a\\\"b\\\\c\n", Some("a\"b\\c")),
            ("[core]\nworktree\n", Some("true")),
            ("[core]\r\nworktree = x\r\n", Some("x")),
            ("[core \"sub\"]\nworktree = x\n", None),
            ("[core]\n# worktree = x\n", None),
            ("[core]\nworktrees = x\n", None),
            ("worktree = x\n[core]\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Config::read(text).last("core", "worktree"), expected, "{text:?}");
        }
        assert!(Config::read("[core]\nignoreCase\n").is_on("core", "ignorecase"));
        assert!(!Config::read("[core]\nignorecase = false\n").is_on("core", "ignorecase"));
    }
}
