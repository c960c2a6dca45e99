//! What a file says, without how it says it: the two sides of the proof.

use std::sync::Arc;

use serde_json::Value as Json;

use super::super::scalar::resolve;
use super::super::{Kind, Node, Value};
use super::{Change, EditError};

/// A value with its tag.
#[derive(Debug, Clone)]
pub(super) struct Model {
    tag: Option<Arc<str>>,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Scalar(String, Kind),
    List(Vec<Model>),
    Map(Vec<(Arc<str>, Model)>),
}

impl Model {
    /// The model of a file's top node.
    pub(super) fn of(root: Option<&Node>) -> Self {
        let Some(node) = root else { return Self::null() };
        let content = match &node.value {
            Value::Scalar(scalar) => Content::Scalar(scalar.text.clone(), scalar.kind),
            Value::Sequence(items) => Content::List(items.iter().map(|item| Self::of(Some(item))).collect()),
            Value::Mapping(entries) => {
                Content::Map(entries.iter().map(|e| (Arc::clone(&e.key), Self::of(Some(&e.value)))).collect())
            }
        };
        Self { tag: node.tag.as_ref().map(|tag| Arc::clone(&tag.name)), content }
    }

    fn null() -> Self {
        Self { tag: None, content: Content::Scalar(String::new(), Kind::Null) }
    }

    fn of_json(value: &Json) -> Self {
        let content = match value {
            Json::Null => Content::Scalar(String::new(), Kind::Null),
            Json::Bool(value) => Content::Scalar(value.to_string(), Kind::Bool(*value)),
            Json::Number(number) => {
                let text = number.to_string();
                let kind = resolve(&text);
                Content::Scalar(text, kind)
            }
            Json::String(text) => Content::Scalar(text.clone(), Kind::Text),
            Json::Array(items) => Content::List(items.iter().map(Self::of_json).collect()),
            Json::Object(map) => Content::Map(map.iter().map(|(k, v)| (Arc::from(k.as_str()), Self::of_json(v))).collect()),
        };
        Self { tag: None, content }
    }

    /// The model after a change.
    pub(super) fn with(mut self, change: &Change) -> Result<Self, EditError> {
        let mut here = &mut self;
        for (depth, key) in change.path.iter().enumerate() {
            if here.is_null() {
                if change.value.is_none() {
                    return Ok(self);
                }
                here.content = Content::Map(Vec::new());
            }
            let Content::Map(entries) = &mut here.content else {
                return Err(EditError::Unusable(match depth {
                    0 => "the file must hold a map at its top".to_owned(),
                    _ => format!("`{}` must be a map", change.path[..depth].join(".")),
                }));
            };
            let last = depth + 1 == change.path.len();
            let found = entries.iter().position(|(name, _)| **name == **key);
            let at = match (found, &change.value) {
                (Some(at), None) if last => {
                    entries.remove(at);
                    return Ok(self);
                }
                (None, None) => return Ok(self),
                (Some(at), _) => at,
                (None, Some(_)) => {
                    entries.push((Arc::from(key.as_str()), Self::null()));
                    entries.len() - 1
                }
            };
            here = &mut entries[at].1;
        }
        let Some(value) = change.value.as_ref().filter(|_| !change.path.is_empty()) else {
            return Err(EditError::Unusable("the change names no key".to_owned()));
        };
        *here = Self::of_json(value);
        here.tag = change.tag.map(Arc::from);
        Ok(self)
    }

    fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(_, Kind::Null))
    }

    fn is_empty(&self) -> bool {
        self.is_null() || matches!(&self.content, Content::Map(entries) if entries.is_empty())
    }

    /// Whether both say the same; the order of keys does not matter, and an empty map is as good as none.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        if self.tag != other.tag {
            return false;
        }
        match (&self.content, &other.content) {
            _ if self.is_empty() && other.is_empty() => true,
            (Content::Scalar(a, a_kind), Content::Scalar(b, b_kind)) => match (a_kind, b_kind) {
                (Kind::Integer(Some(a)), Kind::Integer(Some(b))) => a == b,
                (Kind::Float(a), Kind::Float(b)) => a.to_bits() == b.to_bits(),
                (Kind::Bool(a), Kind::Bool(b)) => a == b,
                _ => a_kind == b_kind && a == b,
            },
            (Content::List(a), Content::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b)),
            (Content::Map(a), Content::Map(b)) => {
                let table: std::collections::HashMap<&str, &Self> = b.iter().map(|(key, value)| (&**key, value)).collect();
                a.len() == b.len() && a.iter().all(|(key, a)| table.get(&**key).is_some_and(|b| a.is_same(b)))
            }
            _ => false,
        }
    }
}
