//! The parameters of a token request: ordered, each at most once but those that may repeat (RFC 6749 §3.2).

use serde_json::{Map, Value};

use crate::auth::BodyFormat;
use crate::mask::{Masker, is_secret_name};
use crate::secret::Secret;

/// Parameters on their way to a token endpoint. `Debug` shows the names only.
#[derive(Clone, Default)]
pub(super) struct Parameters(Vec<(String, Secret)>);

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Parameters {
    /// Sets `name`; an empty value is the same as none (RFC 6749 §3.2).
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.replace(name, vec![value.into()]);
    }

    /// Sets `name` to several values, each sent by itself; a name that stood there already is replaced.
    pub(super) fn replace(&mut self, name: &str, values: Vec<String>) {
        self.0.retain(|(known, _)| known != name);
        let given = values.into_iter().filter(|value| !value.is_empty());
        self.0.extend(given.map(|value| (name.to_owned(), Secret::new(value))));
    }

    /// Makes the secrets among the values known: codes, tokens, passwords, assertions.
    pub(super) fn learn(&self, masker: &Masker) {
        let secret = |name: &str| is_secret_name(name) || name.ends_with("assertion") || name == "code_verifier";
        self.0.iter().filter(|(name, _)| secret(name)).for_each(|(_, value)| {
            masker.learn(value);
        });
    }

    /// The body, and its media type.
    pub(super) fn body(&self, format: BodyFormat) -> (Vec<u8>, &'static str) {
        match format {
            BodyFormat::Form => {
                let pairs = self.0.iter().map(|(name, value)| (name, value.expose()));
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (text.into_bytes(), "application/x-www-form-urlencoded")
            }
            BodyFormat::Json => {
                let mut members = Map::new();
                for (name, value) in &self.0 {
                    let value = Value::from(value.expose());
                    match members.get_mut(name) {
                        None => drop(members.insert(name.clone(), value)),
                        Some(Value::Array(items)) => items.push(value),
                        Some(first) => *first = Value::Array(vec![first.take(), value]),
                    }
                }
                (Value::Object(members).to_string().into_bytes(), "application/json")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_are_left_out_and_names_stand_once_unless_they_may_repeat() {
        let mut parameters = Parameters::default();
        parameters.set("grant_type", "client_credentials");
        parameters.set("scope", "");
        parameters.set("audience", "a");
        parameters.set("audience", "b c&d=é");
        parameters.replace("resource", vec!["https://a/".to_owned(), String::new(), "https://b/".to_owned()]);
        let (form, _) = parameters.body(BodyFormat::Form);
        let expected =
            "grant_type=client_credentials&audience=b+c%26d%3D%C3%A9&resource=https%3A%2F%2Fa%2F&resource=https%3A%2F%2Fb%2F";
        assert_eq!(String::from_utf8(form).unwrap(), expected);
        let (json, _) = parameters.body(BodyFormat::Json);
        let expected = r#"{"grant_type":"client_credentials","audience":"b c&d=é","resource":["https://a/","https://b/"]}"#;
        assert_eq!(String::from_utf8(json).unwrap(), expected);
        assert_eq!(format!("{parameters:?}"), r#"["grant_type", "audience", "resource", "resource"]"#);
    }
}
