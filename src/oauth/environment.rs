//! The fields of a login of an environment: they see the environment only.

use std::path::Path;

use serde_json::Value;

use crate::environment::Values;
use crate::files::read::read_text;
use crate::files::root::Root;
use crate::secret::Secret;
use crate::template::{Engine, Error, Template, Tree};

use super::grant::Fields;

/// Evaluates the fields of a login of an environment.
pub struct EnvironmentFields<'e> {
    /// The templates.
    pub engine: &'e Engine,
    /// The values of the environment.
    pub values: &'e Values<'e>,
    /// The project root: a shared environment reads files below it only.
    pub root: &'e Root,
}

impl Fields for EnvironmentFields<'_> {
    fn text(&self, template: &Template) -> Result<String, Error> {
        let text = self.engine.text(template, &self.values.scope(template.reads()))?;
        self.protect(template, &Value::from(text.as_str()));
        Ok(text)
    }

    fn value(&self, tree: &Tree<Template>) -> Result<Value, Error> {
        let reads: Vec<_> = tree.templates().flat_map(Template::reads).cloned().collect();
        let value = self.engine.tree(tree, &self.values.scope(&reads))?;
        tree.templates().for_each(|template| self.protect(template, &value));
        Ok(value)
    }

    fn document(&self, template: &Template) -> Result<Secret, Error> {
        let text = self.text(template)?;
        if text.trim_start().starts_with('{') {
            return Ok(Secret::new(text));
        }
        let place = template.place();
        let files = self.values.environment().files.as_ref();
        let path = files.and_then(|files| files.shared.parent()).unwrap_or(Path::new(".")).join(&text);
        let local = files.is_some_and(|files| files.local_shown == place.file.name());
        if !local && !self.root.contains(&path) {
            return Err(place.error(format!("the configuration file `{text}` lies outside of the project")).refusal().into());
        }
        read_text(&path).map(Secret::new).map_err(|error| place.error(format!("the configuration file `{text}` {error}")).into())
    }

    fn has(&self, template: &Template) -> bool {
        let mut names = template.reads().iter().filter_map(|read| read.path.first());
        names.all(|root| root == "sandbox" || self.values.has(root))
    }
}

impl EnvironmentFields<'_> {
    /// What is made of a secret is masked like one.
    fn protect(&self, template: &Template, value: &Value) {
        let secret = |name: &str| self.values.get(name).is_ok_and(|found| found.is_some_and(|found| found.secret));
        if template.transforms() && template.reads().iter().filter_map(|read| read.path.first()).any(|name| secret(name)) {
            self.values.protect(value);
        }
    }
}
