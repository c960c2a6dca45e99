//! The functions, filters and tests that templates may use, with their arguments: an unknown one is found before anything runs.

use crate::diagnostic::nearest;

/// Something that is called with named arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callable {
    pub(super) name: &'static str,
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static str],
}

const fn call(name: &'static str, required: &'static [&'static str], optional: &'static [&'static str]) -> Callable {
    Callable { name, required, optional }
}

/// What a called name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Function,
    Filter,
    Test,
}

const FUNCTIONS: &[Callable] = &[
    call("now", &[], &[]),
    call("uuid", &[], &[]),
    call("random_int", &["min", "max"], &[]),
    call("random_string", &["length"], &[]),
    call("range", &["end"], &["start", "step_by"]),
];

/// Functions that give something else each time.
pub(super) const VARYING: [&str; 4] = ["now", "uuid", "random_int", "random_string"];

const FILTERS: &[Callable] = &[
    call("abs", &[], &[]),
    call("base64", &[], &[]),
    call("base64_decode", &[], &[]),
    call("base64url", &[], &[]),
    call("capitalize", &[], &[]),
    call("date", &[], &["format"]),
    call("default", &["value"], &["boolean"]),
    call("escape_html", &[], &[]),
    call("escape_xml", &[], &[]),
    call("first", &[], &[]),
    call("float", &[], &[]),
    call("from_json", &[], &[]),
    call("get", &["key"], &["default"]),
    call("group_by", &["attribute"], &[]),
    call("hex", &[], &[]),
    call("hmac_sha256", &["key"], &[]),
    call("int", &[], &["base"]),
    call("join", &[], &["sep"]),
    call("json", &[], &[]),
    call("jwt_claims", &[], &[]),
    call("keys", &[], &[]),
    call("last", &[], &[]),
    call("length", &[], &[]),
    call("lower", &[], &[]),
    call("nth", &["n"], &[]),
    call("pairs", &[], &[]),
    call("pluralize", &[], &["singular", "plural"]),
    call("replace", &["from", "to"], &[]),
    call("reverse", &[], &[]),
    call("round", &[], &["method", "precision"]),
    call("safe", &[], &[]),
    call("sha256", &[], &[]),
    call("sort", &[], &["attribute"]),
    call("split", &["pat"], &[]),
    call("str", &[], &[]),
    call("title", &[], &[]),
    call("to_timestamp", &[], &[]),
    call("trim", &[], &["pat"]),
    call("trim_end", &[], &["pat"]),
    call("trim_start", &[], &["pat"]),
    call("truncate", &["length"], &["end"]),
    call("unique", &[], &[]),
    call("upper", &[], &[]),
    call("url_encode", &[], &[]),
    call("values", &[], &[]),
    call("wordcount", &[], &[]),
];

const TESTS: &[Callable] = &[
    call("array", &[], &[]),
    call("bool", &[], &[]),
    call("containing", &["pat"], &[]),
    call("defined", &[], &[]),
    call("divisible_by", &["divisor"], &[]),
    call("ending_with", &["pat"], &[]),
    call("even", &[], &[]),
    call("float", &[], &[]),
    call("integer", &[], &[]),
    call("iterable", &[], &[]),
    call("map", &[], &[]),
    call("none", &[], &[]),
    call("number", &[], &[]),
    call("odd", &[], &[]),
    call("starting_with", &["pat"], &[]),
    call("string", &[], &[]),
    call("undefined", &[], &[]),
];

/// Names of other tools, and what they are called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("b64encode", "base64"),
    ("b64decode", "base64_decode"),
    ("base64_encode", "base64"),
    ("count", "length"),
    ("fromjson", "from_json"),
    ("json_decode", "from_json"),
    ("json_encode", "json"),
    ("quote", "url_encode"),
    ("size", "length"),
    ("string", "str"),
    ("strip", "trim"),
    ("timestamp", "now"),
    ("tojson", "json"),
    ("urlencode", "url_encode"),
    ("random", "random_int"),
    ("uuid4", "uuid"),
    ("guid", "uuid"),
    ("null", "none"),
    ("list", "array"),
    ("object", "map"),
    ("dict", "map"),
    ("boolean", "bool"),
];

impl Sort {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Filter => "filter",
            Self::Test => "test",
        }
    }

    fn all(self) -> &'static [Callable] {
        match self {
            Self::Function => FUNCTIONS,
            Self::Filter => FILTERS,
            Self::Test => TESTS,
        }
    }

    /// What is called `name`.
    pub(super) fn find(self, name: &str) -> Option<&'static Callable> {
        self.all().iter().find(|callable| callable.name == name)
    }

    /// The name that was probably meant.
    pub(super) fn near(self, name: &str) -> Option<&'static str> {
        let known = |name: &str| self.find(name).map(|callable| callable.name);
        ELSEWHERE
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .and_then(|(_, ours)| known(ours))
            .or_else(|| nearest(name, self.all().iter().map(|callable| callable.name)).and_then(known))
    }

    /// All names, for a message.
    pub(super) fn list(self) -> String {
        self.all().iter().map(|callable| callable.name).collect::<Vec<_>>().join(", ")
    }
}
