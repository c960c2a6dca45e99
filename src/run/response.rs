//! What a template of a capture, a store or an assertion sees: the request's scope and `response`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::check::Answer;
use crate::template::{Error, Read, Values};

/// The scope of a request with its answer. Only the members of `response` that are read are made.
pub(super) struct AnswerScope<'a, 'b> {
    pub(super) scope: &'a dyn Values,
    pub(super) answer: &'a Answer<'b>,
    pub(super) reads: Vec<&'a Read>,
}

impl AnswerScope<'_, '_> {
    fn reads(&self, member: &str) -> bool {
        self.reads.iter().any(|read| {
            read.path.first().is_some_and(|root| root == "response") && read.path.get(1).is_none_or(|path| path == member)
        })
    }

    fn response(&self) -> Value {
        let answer = self.answer;
        let mut members = Map::new();
        if self.reads("status") {
            members.insert("status".to_owned(), Value::from(answer.status));
        }
        if self.reads("url") {
            members.insert("url".to_owned(), Value::from(answer.url));
        }
        if self.reads("duration") {
            let millis = u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX);
            members.insert("duration".to_owned(), Value::from(millis));
        }
        if self.reads("headers") {
            // Names in lower case: header names ignore case, members of a map don't. The first of a repeated header counts.
            let mut headers = Map::new();
            for (name, value) in answer.headers {
                headers.entry(name.to_ascii_lowercase()).or_insert_with(|| Value::from(value.as_str()));
            }
            members.insert("headers".to_owned(), Value::Object(headers));
        }
        if self.reads("cookies") {
            let cookies = answer.cookies().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
            members.insert("cookies".to_owned(), Value::Object(cookies));
        }
        if self.reads("body") {
            members.insert("body".to_owned(), Value::from(answer.text()));
        }
        if self.reads("json")
            && let Ok(json) = answer.json()
        {
            members.insert("json".to_owned(), json.clone());
        }
        Value::Object(members)
    }
}

impl Values for AnswerScope<'_, '_> {
    fn value(&self, name: &str) -> Result<Option<Arc<Value>>, Error> {
        if name == "response" { Ok(Some(Arc::new(self.response()))) } else { self.scope.value(name) }
    }

    fn has(&self, name: &str) -> bool {
        name == "response" || self.scope.has(name)
    }
}
