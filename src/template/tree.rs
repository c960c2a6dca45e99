//! A YAML value with templates in it, such as a JSON body.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Builder, Engine, Error, Syntax, Template, Values};
use crate::diagnostic::SourceFile;
use crate::yaml::{self, Kind, Node, Scalar};

/// A value whose scalars and keys are `T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree<T> {
    /// A scalar.
    Leaf(T),
    /// A list.
    List(Vec<Tree<T>>),
    /// A map; keys in the order of the file.
    Map(Vec<(T, Tree<T>)>),
}

impl<T> Tree<T> {
    /// All leaves and keys, in the order of the file.
    pub fn templates(&self) -> impl Iterator<Item = &T> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out.into_iter()
    }

    // The depth is bounded by that of the YAML file.
    fn collect<'t>(&'t self, out: &mut Vec<&'t T>) {
        match self {
            Self::Leaf(leaf) => out.push(leaf),
            Self::List(items) => items.iter().for_each(|item| item.collect(out)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    out.push(key);
                    value.collect(out);
                }
            }
        }
    }
}

impl Builder {
    /// Adds every scalar and key below `node`; keys are templates only where they contain `{{`, and are always text.
    pub fn add_tree(&mut self, file: &Arc<SourceFile>, node: &Node, syntax: Syntax) -> Tree<Template> {
        match &node.value {
            yaml::Value::Scalar(_) => Tree::Leaf(self.add(file, node, syntax)),
            yaml::Value::Sequence(items) => Tree::List(items.iter().map(|item| self.add_tree(file, item, syntax)).collect()),
            yaml::Value::Mapping(entries) => Tree::Map(
                entries
                    .iter()
                    .map(|entry| {
                        let scalar = Scalar { text: entry.key.as_ref().to_owned(), kind: Kind::Text, plain: false };
                        let key = Node {
                            value: yaml::Value::Scalar(Arc::new(scalar)),
                            span: entry.key_span,
                            used_at: entry.key_span,
                            tag: None,
                        };
                        let key = if entry.key.contains("{{") {
                            self.add(file, &key, Syntax::Text)
                        } else {
                            Template::plain(file, &key, Value::from(entry.key.as_ref()))
                        };
                        (key, self.add_tree(file, &entry.value, syntax))
                    })
                    .collect(),
            ),
        }
    }
}

impl Engine {
    /// Renders a whole tree; of keys that come out equal the last counts.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn tree(&self, tree: &Tree<Template>, values: &dyn Values) -> Result<Value, Error> {
        Ok(match tree {
            Tree::Leaf(leaf) => self.value(leaf, values)?,
            Tree::List(items) => Value::Array(items.iter().map(|item| self.tree(item, values)).collect::<Result<_, _>>()?),
            Tree::Map(entries) => {
                let mut out = Map::new();
                for (key, value) in entries {
                    out.insert(self.text(key, values)?, self.tree(value, values)?);
                }
                Value::Object(out)
            }
        })
    }
}
