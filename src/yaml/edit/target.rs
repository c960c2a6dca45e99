//! Finds the map that a change belongs to, and what has to be written there.

use serde_json::{Map, Value as Json};

use super::super::tree::Merges;
use super::super::{Entry, Node, Value, to_json};
use super::splice::{Block, Spot};
use super::{Change, EditError, tree};

/// The text after one change; `None` where it says so already.
pub(super) fn edit(text: &str, change: &Change) -> Result<Option<String>, EditError> {
    // Two views of one text: where the keys stand, and what they mean once merges are resolved.
    let written = tree(text, Merges::Kept)?;
    let meant = tree(text, Merges::Resolved)?;
    let spot = Spot::new(text);
    let Some(root) = written.as_ref().filter(|root| !root.is_null()) else {
        let Some(value) = &change.value else { return Ok(None) };
        return tagged_leaf(spot.first_entry(&new_entry(&change.path, value, change.tag)), change);
    };
    let mut map = root;
    let mut meaning = meant.as_ref();
    let mut in_brackets = false;
    for (depth, key) in change.path.iter().enumerate() {
        let rest = &change.path[depth + 1..];
        let Some(entries) = map.entries() else { return Err(must_be_map(&change.path[..depth])) };
        in_brackets |= spot.is_bracket(map.span.start);
        meaning = meaning.and_then(|node| node.get(key));
        let Some(entry) = own(&spot, entries, key) else {
            return missing(&spot, map, in_brackets, change, depth, meaning);
        };
        let Some(value) = &change.value else {
            if rest.is_empty() {
                return Ok(Some(spot.remove(map, entry, in_brackets)));
            }
            if is_alias(&entry.value) && entry.value.entries().is_some() {
                return without(&spot, entry, rest, meaning, in_brackets);
            }
            if entry.value.is_null() {
                return Ok(None);
            }
            map = &entry.value;
            continue;
        };
        if rest.is_empty() {
            if holds(&entry.value, value, change.tag) {
                return Ok(None);
            }
            let block = Block { tag: change.tag, value: value.clone() };
            return spot.replace(entry, &block, in_brackets).map(Some);
        }
        let is_empty = entry.value.entries().is_some_and(<[Entry]>::is_empty) && entry.value.tag.is_none();
        if entry.value.is_null() || is_empty {
            let block = Block { tag: None, value: nested(rest, value) };
            return tagged_leaf(spot.replace(entry, &block, in_brackets)?, change);
        }
        if is_alias(&entry.value) {
            // The anchor's value belongs to another key: this key gets a copy of its own.
            let copy = changed_copy(meaning, rest, Some(value), &change.path[..=depth])?;
            return tagged_leaf(spot.replace(entry, &Block { tag: None, value: copy }, in_brackets)?, change);
        }
        map = &entry.value;
    }
    Err(EditError::Unusable("the change names no key".to_owned()))
}

/// A key that stands in no map of the path itself; perhaps a merge brings it.
fn missing(
    spot: &Spot<'_>,
    map: &Node,
    in_brackets: bool,
    change: &Change,
    depth: usize,
    meaning: Option<&Node>,
) -> Result<Option<String>, EditError> {
    let rest = &change.path[depth + 1..];
    let path = &change.path[..=depth];
    let Some(value) = &change.value else {
        // Nothing to remove, or something that only the merged map could give up.
        return match meaning {
            None => Ok(None),
            Some(_) => {
                Err(EditError::Unusable(format!("`{}` comes from a merge (`<<`); change the file by hand", path.join("."))))
            }
        };
    };
    let block = match meaning.filter(|_| !rest.is_empty()) {
        Some(node) if !node.is_null() => Block { tag: None, value: changed_copy(Some(node), rest, Some(value), path)? },
        _ => Block { tag: change.tag.filter(|_| rest.is_empty()), value: nested(rest, value) },
    };
    let text = spot.append(map, &change.path[depth], &block, in_brackets)?;
    tagged_leaf(text, change)
}

/// Takes a key out of an aliased map: the key gets its own copy without it.
fn without(
    spot: &Spot<'_>,
    entry: &Entry,
    rest: &[String],
    meaning: Option<&Node>,
    in_brackets: bool,
) -> Result<Option<String>, EditError> {
    let copy = changed_copy(meaning, rest, None, &[entry.key.to_string()])?;
    spot.replace(entry, &Block { tag: None, value: copy }, in_brackets).map(Some)
}

/// Maps that had to be made carry no tag; the value in them gets its own in a second step.
fn tagged_leaf(text: String, change: &Change) -> Result<Option<String>, EditError> {
    if change.tag.is_none() {
        return Ok(Some(text));
    }
    // The key must stand in the file now, so that the second step goes one way only: to its replacement.
    let written = tree(&text, Merges::Kept)?;
    let leaf = change.path.iter().try_fold(written.as_ref(), |node, key| Some(node?.get(key)));
    if leaf.flatten().is_none() {
        return Err(EditError::Unusable(format!("`{}` can't be written; change the file by hand", change.path.join("."))));
    }
    Ok(Some(edit(&text, change)?.unwrap_or(text)))
}

/// The entry that the map itself has under `key`.
fn own<'n>(spot: &Spot<'_>, entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| &*entry.key == key && !(key == "<<" && spot.is_plain(entry.key_span)))
}

fn is_alias(node: &Node) -> bool {
    node.span != node.used_at
}

/// Whether the file says already what the change wants.
fn holds(node: &Node, value: &Json, tag: Option<&str>) -> bool {
    node.tag.as_ref().map(|tag| &*tag.name) == tag && to_json(node).is_ok_and(|now| now == *value) && !has_tags(node, true)
}

/// Whether a tag stands on the node (unless `inside`) or in it.
fn has_tags(node: &Node, inside: bool) -> bool {
    (!inside && node.tag.is_some())
        || match &node.value {
            Value::Scalar(_) => false,
            Value::Sequence(items) => items.iter().any(|item| has_tags(item, false)),
            Value::Mapping(entries) => entries.iter().any(|entry| has_tags(&entry.value, false)),
        }
}

/// A copy of an aliased or merged map in which the key under `rest` has a new value.
fn changed_copy(node: Option<&Node>, rest: &[String], value: Option<&Json>, path: &[String]) -> Result<Json, EditError> {
    let cannot = || {
        let name = path.join(".");
        EditError::Unusable(format!("`{name}` comes from an anchor and can't be copied; change the file by hand"))
    };
    let node = node.filter(|node| node.entries().is_some() && !has_tags(node, false)).ok_or_else(cannot)?;
    let mut copy = to_json(node).map_err(|_| cannot())?;
    let mut here = &mut copy;
    for (depth, key) in rest.iter().enumerate() {
        if here.is_null() {
            *here = Json::Object(Map::new());
        }
        let Json::Object(map) = here else { return Err(must_be_map(path)) };
        match value {
            None if depth + 1 == rest.len() => {
                map.shift_remove(key);
                return Ok(copy);
            }
            _ => here = map.entry(key.clone()).or_insert(Json::Null),
        }
    }
    if let Some(value) = value {
        *here = value.clone();
    }
    Ok(copy)
}

/// `value` inside maps with the keys of `path`.
fn nested(path: &[String], value: &Json) -> Json {
    path.iter().rev().fold(value.clone(), |inner, key| Json::Object(Map::from_iter([(key.clone(), inner)])))
}

fn new_entry(path: &[String], value: &Json, tag: Option<&'static str>) -> (String, Block) {
    let (first, rest) = path.split_first().map_or((String::new(), path), |(first, rest)| (first.clone(), rest));
    (first, Block { tag: tag.filter(|_| rest.is_empty()), value: nested(rest, value) })
}

fn must_be_map(path: &[String]) -> EditError {
    EditError::Unusable(match path {
        [] => "the file must hold a map at its top".to_owned(),
        path => format!("`{}` must be a map", path.join(".")),
    })
}
