//! Takes a few values out of a JSON text in one pass, without building the rest of it.
//!
//! What is not wanted is read and dropped rather than skipped by `IgnoredAny`: that one lets through what a `Value` refuses
//! (text that is not UTF-8, `1e999`, any depth), and a capture must not depend on which of the two readers took it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::JsonPath;
use super::simple::Step;

/// The value of each path in `body`, `None` where it has none. The whole document is checked as `serde_json` would; of equal
/// keys the last counts. A path that is not simple ([`JsonPath::is_simple`]) has no value here.
///
/// # Errors
/// `body` is not JSON.
pub fn extract(paths: &[&JsonPath], body: &[u8]) -> Result<Vec<Option<Value>>, serde_json::Error> {
    let mut found = vec![None; paths.len()];
    let wanted: Vec<Wanted<'_>> =
        paths.iter().enumerate().filter_map(|(slot, path)| Some(Wanted { slot, rest: path.steps()? })).collect();
    let mut reader = serde_json::Deserializer::from_slice(body);
    Level { wanted, found: &mut found }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// A path that leads through the value being read, with the steps that are left.
#[derive(Clone, Copy)]
struct Wanted<'p> {
    slot: usize,
    rest: &'p [Step],
}

/// Reads one value of the document.
struct Level<'p, 'f> {
    wanted: Vec<Wanted<'p>>,
    found: &'f mut [Option<Value>],
}

impl<'de> DeserializeSeed<'de> for Level<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // What an earlier, equal key gave does not count any more.
        for wanted in &self.wanted {
            if let Some(slot) = self.found.get_mut(wanted.slot) {
                *slot = None;
            }
        }
        if self.wanted.iter().any(|wanted| wanted.rest.is_empty()) {
            // One path ends here: the value is built, and longer paths read it from there.
            let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
            for wanted in &self.wanted {
                if let Some(slot) = self.found.get_mut(wanted.slot) {
                    *slot = super::simple::walk(wanted.rest, &value).cloned();
                }
            }
            Ok(())
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Level<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(wanted) = map.next_key_seed(Key { wanted: &self.wanted })? {
            map.next_value_seed(Level { wanted, found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for at in 0.. {
            let wanted = below(&self.wanted, |step| matches!(step, Step::Index(index) if *index == at));
            if seq.next_element_seed(Level { wanted, found: &mut *self.found })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key without keeping it and gives the paths that lead through its value.
struct Key<'w, 'p> {
    wanted: &'w [Wanted<'p>],
}

impl<'de, 'p> DeserializeSeed<'de> for Key<'_, 'p> {
    type Value = Vec<Wanted<'p>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Key<'_, 'p> {
    type Value = Vec<Wanted<'p>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(below(self.wanted, |step| matches!(step, Step::Name(name) if name == key)))
    }
}

/// The paths whose next step leads into the value, one step shorter.
fn below<'p>(wanted: &[Wanted<'p>], leads: impl Fn(&Step) -> bool) -> Vec<Wanted<'p>> {
    wanted
        .iter()
        .filter_map(|wanted| {
            let (step, rest) = wanted.rest.split_first()?;
            leads(step).then_some(Wanted { slot: wanted.slot, rest })
        })
        .collect()
}
