//! What a collection file says, as data. Groups and defaults are already resolved into the requests.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Choice, Definition};
use crate::diagnostic::{Place, SourceFile};
use crate::query::{JsonPath, Pattern};
use crate::template::{Template, Tree};

/// A file of requests.
#[derive(Debug)]
pub struct Collection {
    /// The file, for places.
    pub file: Arc<SourceFile>,
    /// The file's path.
    pub path: PathBuf,
    /// `name:`, else the file's name without its ending.
    pub name: String,
    /// `description:`.
    pub description: Option<String>,
    /// `variables:`, in the order of the file.
    pub variables: Vec<Variable>,
    /// `needs:`: collections to run first.
    pub needs: Vec<Need>,
    /// `auth:`: named ways to authorise.
    pub auth: Vec<Definition>,
    /// All requests, groups flattened, in order.
    pub requests: Vec<Request>,
}

/// A default of a collection.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its value; `None` declares a variable that must be set elsewhere.
    pub value: Option<Tree<Template>>,
}

/// A collection that must run first.
#[derive(Debug, Clone)]
pub struct Need {
    /// The path as written, relative to the file that names it.
    pub path: String,
    /// Where it stands.
    pub place: Place,
}

/// A request as written, with the defaults of its groups and its collection.
#[derive(Debug, Clone)]
pub struct Request {
    /// Unique in its group.
    pub name: String,
    /// Where the request starts.
    pub place: Place,
    /// The names of the groups around it, outermost first.
    pub groups: Arc<[String]>,
    /// Its tags and those of its groups.
    pub tags: Vec<String>,
    /// `description:`.
    pub description: Option<String>,
    /// `when:`: the request is skipped when this does not hold.
    pub when: Option<Template>,
    /// The method, as sent.
    pub method: String,
    /// `base_url` of the defaults, put before a url that starts with `/`.
    pub base_url: Option<Template>,
    /// `url:`.
    pub url: Template,
    /// Query parameters, in order.
    pub query: Vec<Field>,
    /// Headers, in order; of equal names only the innermost.
    pub headers: Vec<Field>,
    /// How it is authorised.
    pub auth: Choice,
    /// What it sends.
    pub body: Option<Body>,
    /// What must hold of the answer.
    pub assertions: Assertions,
    /// Values for the rest of the run.
    pub captures: Vec<Capture>,
    /// Values for the rest of the run that are also kept in the environment.
    pub stores: Vec<Capture>,
    /// The limit on the whole exchange.
    pub timeout: Option<Duration>,
    /// `redirects:`: how many are followed, none with 0; `None` leaves it to the client.
    pub redirects: Option<usize>,
    /// Whether it runs whatever failed before it.
    pub always: bool,
}

impl Request {
    /// The name with the groups before it: `Files / List the folder`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.groups.iter().chain([&self.name]).map(String::as_str).collect::<Vec<_>>().join(" / ")
    }

    /// The name as it stands behind the method: a name that was made starts with it.
    #[must_use]
    pub fn name_behind_method(&self) -> Cow<'_, str> {
        match self.groups.is_empty() {
            true => self.name.strip_prefix(&self.method).map_or(self.name.as_str(), str::trim_start).into(),
            false => self.full_name().into(),
        }
    }

    /// What it captures and stores.
    pub fn products(&self) -> impl Iterator<Item = &Capture> {
        self.captures.iter().chain(&self.stores)
    }
}

/// A named value that may repeat: a query parameter, a header, a form field.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name, as sent.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// One template for each value; a list that a template gives repeats the field, null leaves it out.
    pub values: Vec<Template>,
}

/// What a request sends.
#[derive(Debug, Clone)]
pub enum Body {
    /// `form:` as `application/x-www-form-urlencoded`.
    Form(Vec<Field>),
    /// `json:` as `application/json`.
    Json(Tree<Template>),
    /// `body:` as text.
    Text(Template),
    /// `body: {file: …}`.
    File {
        /// The path, relative to the collection.
        path: Template,
        /// `content_type:`.
        content_type: Option<Template>,
    },
}

impl Body {
    /// The templates of the body.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Form(fields) => fields.iter().flat_map(|field| &field.values).collect(),
            Self::Json(tree) => tree.templates().collect(),
            Self::Text(template) => vec![template],
            Self::File { path, content_type } => std::iter::once(path).chain(content_type).collect(),
        }
    }
}

/// A value that is taken from an answer.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The variable that gets it.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Where the value comes from.
    pub source: Source,
    /// Where the source stands.
    pub source_place: Place,
    /// Applied to the text of the source.
    pub regex: Option<Pattern>,
    /// Used when the source has nothing.
    pub default: Option<Tree<Template>>,
    /// `secret: true` or `secret: false`; `None` leaves it to the name.
    pub secret: Option<bool>,
}

/// Where a captured value comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A JSONPath on the body.
    Json {
        /// The path.
        path: JsonPath,
        /// A list even where the path selects at most one node.
        all: bool,
    },
    /// The first header of that name.
    Header(String),
    /// A cookie that the answer sets.
    Cookie(String),
    /// The status code.
    Status,
    /// The body as text.
    Body,
    /// The URL that answered.
    Url,
    /// An expression over `response`.
    Value(Template),
}

impl Source {
    /// What the source is called in messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Json { path, .. } => format!("`{}`", path.text()),
            Self::Header(name) => format!("the header `{name}`"),
            Self::Cookie(name) => format!("the cookie `{name}`"),
            Self::Status => "the status".to_owned(),
            Self::Body => "the body".to_owned(),
            Self::Url => "the URL".to_owned(),
            Self::Value(template) => format!("`{}`", template.source()),
        }
    }
}

/// What must hold of an answer.
#[derive(Debug, Clone, Default)]
pub struct Assertions {
    /// The expected status; without it any status from 400 fails the request.
    pub status: Option<StatusAssertion>,
    /// Everything else, in the order of the file.
    pub checks: Vec<Assertion>,
}

impl Assertions {
    /// Every template of the assertions.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        let mut found = Vec::new();
        for check in &self.checks {
            if let Subject::Condition(template) = &check.subject {
                found.push(template);
            }
            check.matcher.iter().for_each(|matcher| matcher.collect(&mut found));
        }
        found
    }
}

/// The statuses that are expected.
#[derive(Debug, Clone)]
pub struct StatusAssertion {
    /// Any of these.
    pub any_of: Vec<StatusPattern>,
    /// Where it stands.
    pub place: Place,
}

impl StatusAssertion {
    /// Whether `status` is one of the expected.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        self.any_of.iter().any(|pattern| match pattern {
            StatusPattern::Exact(code) => *code == status,
            StatusPattern::Class(class) => u16::from(*class) == status / 100,
        })
    }
}

/// One expected status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// `200`.
    Exact(u16),
    /// `2xx`: the first digit.
    Class(u8),
}

/// One assertion on a part of the answer.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// The part.
    pub subject: Subject,
    /// What must hold of it; `None` for a condition.
    pub matcher: Option<Matcher>,
    /// Where the subject stands.
    pub place: Place,
}

/// The part of an answer that an assertion looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// The first header of that name.
    Header(String),
    /// What a JSONPath selects.
    Json(JsonPath),
    /// The body as text.
    Body,
    /// From sending to the last byte, in milliseconds.
    Duration,
    /// The length of the decoded body, in bytes.
    Size,
    /// A condition under `that:`.
    Condition(Template),
}

/// Tests that must all hold of one value.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The tests.
    pub tests: Vec<Test>,
    /// Where the matcher stands.
    pub place: Place,
}

impl Matcher {
    // The depth is bounded by that of the YAML file.
    fn collect<'m>(&'m self, found: &mut Vec<&'m Template>) {
        for test in &self.tests {
            match &test.kind {
                TestKind::Equals(tree)
                | TestKind::NotEquals(tree)
                | TestKind::Contains(tree)
                | TestKind::NotContains(tree)
                | TestKind::StartsWith(tree)
                | TestKind::EndsWith(tree)
                | TestKind::Above(tree)
                | TestKind::Below(tree)
                | TestKind::AtLeast(tree)
                | TestKind::AtMost(tree)
                | TestKind::In(tree) => found.extend(tree.templates()),
                TestKind::Count(inner) | TestKind::Each(inner) | TestKind::Not(inner) => inner.collect(found),
                TestKind::All(inner) | TestKind::Any(inner) => inner.iter().for_each(|matcher| matcher.collect(found)),
                TestKind::Matches(_) | TestKind::Exists(_) | TestKind::Empty(_) | TestKind::Type(_) => {}
            }
        }
    }
}

/// One test of a value.
#[derive(Debug, Clone)]
pub struct Test {
    /// The test.
    pub kind: TestKind,
    /// Where it stands (the operand's place).
    pub place: Place,
}

/// What is tested. Operands are templates; durations are already in milliseconds.
#[derive(Debug, Clone)]
pub enum TestKind {
    /// Equal, types included: a number never equals text.
    Equals(Tree<Template>),
    /// Not equal.
    NotEquals(Tree<Template>),
    /// Text contains text, a list an element, a map a key.
    Contains(Tree<Template>),
    /// The opposite.
    NotContains(Tree<Template>),
    /// Text starts with this.
    StartsWith(Tree<Template>),
    /// Text ends with this.
    EndsWith(Tree<Template>),
    /// Text matches a regular expression anywhere.
    Matches(Pattern),
    /// Greater than.
    Above(Tree<Template>),
    /// Less than.
    Below(Tree<Template>),
    /// Greater than or equal.
    AtLeast(Tree<Template>),
    /// Less than or equal.
    AtMost(Tree<Template>),
    /// The number of elements, members or characters.
    Count(Box<Matcher>),
    /// Whether there is a value at all (`null` is one).
    Exists(bool),
    /// Whether text, list or map is empty.
    Empty(bool),
    /// The JSON type.
    Type(JsonType),
    /// One of these.
    In(Tree<Template>),
    /// Every element.
    Each(Box<Matcher>),
    /// All of these.
    All(Vec<Matcher>),
    /// At least one of these.
    Any(Vec<Matcher>),
    /// Not this.
    Not(Box<Matcher>),
}

/// A type of JSON; `integer` is a number without a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean,
    /// any number
    Number,
    /// a number without a fraction
    Integer,
    /// text
    String,
    /// a list
    Array,
    /// a map
    Object,
}

impl JsonType {
    /// Every type with its name.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("string", Self::String),
        ("array", Self::Array),
        ("object", Self::Object),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}
