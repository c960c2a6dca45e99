//! Keys of maps: what can be one, duplicates, and merges (`<<`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::super::hint;
use super::super::mistake::Mistake;
use super::super::{Entry, Kind, Node, Value};
use super::{Builder, Frame, Merges};
use crate::diagnostic::{Span, looks_like_a_name};

/// Maps with more keys than this look for duplicates in a table.
const FEW_KEYS: usize = 24;

/// A key that waits for its value.
pub(super) struct Key {
    /// `None`: the key is wrong, and its value is dropped.
    pub(super) text: Option<Arc<str>>,
    pub(super) span: Span,
    pub(super) merge: bool,
}

impl Builder<'_> {
    /// A key that came as a node: an alias, an anchored scalar, or something that can't be one.
    pub(super) fn node_key(&mut self, node: &Node) {
        if let Some(scalar) = node.scalar() {
            let text = Cow::Owned(scalar.text.clone());
            return self.scalar_key(text, scalar.kind, scalar.plain, node.used_at);
        }
        let span = node.used_at;
        // The parts of `{{ x }}` are maps with the template as their key: one mistake, said once.
        let said = self.tree.mistakes.last().is_some_and(|last| last.span.start == span.start);
        if !said && !self.is_full() {
            let outer = self.frames.last().map_or(node.span.start, |frame| frame.start);
            let mistake = hint::template_key(self.text, outer, node.span.start)
                .unwrap_or_else(|| Mistake::new(span, format!("a key must be text, not {}", node.kind_name()), "expected text"));
            self.report(mistake);
        }
        self.wait(None, span, false);
    }

    pub(super) fn scalar_key(&mut self, text: Cow<'_, str>, kind: Kind, plain: bool, span: Span) {
        if kind == Kind::Null {
            return self.key_of(None, span, "a key must not be `null`");
        }
        let merge = plain && text == "<<" && self.merges == Merges::Resolved;
        let text = self.intern(text);
        self.wait(Some(text), span, merge);
    }

    pub(super) fn key_of(&mut self, text: Option<Arc<str>>, span: Span, message: &str) {
        self.report(Mistake::new(span, message, "expected text"));
        self.wait(text, span, false);
    }

    fn wait(&mut self, text: Option<Arc<str>>, span: Span, merge: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.end = frame.end.max(span.end);
            frame.key = Some(Key { text, span, merge });
        }
    }

    /// Adds key and value to the open map.
    pub(super) fn entry(&mut self, key: Key, node: Node) {
        let Some(text) = key.text else { return };
        let is_full = self.is_full();
        let Some(frame) = self.frames.last_mut() else { return };
        if key.merge {
            if frame.merges.is_empty() {
                frame.merges.push((key.span, node));
            } else {
                let mistake = Mistake::new(key.span, "duplicate key `<<`", "a list merges several maps: `<<: [*a, *b]`");
                self.report(mistake);
            }
            return;
        }
        match first_place(&self.entries[frame.from..], &mut frame.seen, &text) {
            Some(_) if is_full => {}
            Some(first) => {
                let line = hint::line_number(self.text, first.start);
                let named = format!("duplicate key `{text}`");
                let message = if looks_like_a_name(&text) { named.clone() } else { "duplicate key".to_owned() };
                let mistake = Mistake::new(key.span, message, format!("the first is at line {line}")).shown_message(named);
                self.report(mistake.help("a key stands once in a map").spares_the_rest());
            }
            None => {
                if let Some(seen) = &mut frame.seen {
                    seen.insert(Arc::clone(&text), key.span);
                }
                self.entries.push(Entry { key: text, key_span: key.span, value: node });
            }
        }
    }

    /// Adds the entries of a merged map that the map does not have itself; of several, the first wins.
    pub(super) fn merge(&mut self, frame: &mut Frame, at: Span, node: &Node) {
        let sources = match &node.value {
            Value::Mapping(_) => std::slice::from_ref(node),
            Value::Sequence(items) if items.iter().all(|item| item.entries().is_some()) => items,
            _ => {
                let message = format!("`<<` merges a map or a list of maps, not {}", node.kind_name());
                return self.report(Mistake::new(at, message, "expected a map, such as `*name`"));
            }
        };
        for entry in sources.iter().filter_map(Node::entries).flatten() {
            if first_place(&self.entries[frame.from..], &mut frame.seen, &entry.key).is_none() {
                if let Some(seen) = &mut frame.seen {
                    seen.insert(Arc::clone(&entry.key), entry.key_span);
                }
                self.entries.push(entry.clone());
            }
        }
    }
}

/// Where `key` stands already. Keys are interned, so that a small map compares pointers; a big one gets a table.
fn first_place(entries: &[Entry], seen: &mut Option<HashMap<Arc<str>, Span>>, key: &Arc<str>) -> Option<Span> {
    if entries.len() <= FEW_KEYS {
        return entries.iter().find(|entry| Arc::ptr_eq(&entry.key, key)).map(|entry| entry.key_span);
    }
    seen.get_or_insert_with(|| entries.iter().map(|entry| (Arc::clone(&entry.key), entry.key_span)).collect()).get(key).copied()
}
