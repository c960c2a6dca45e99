//! Parser events to a tree: places, anchors, aliases, merge keys, and every mistake that does not end the scan.
//!
//! Nothing here recurses, and everything is counted: an alias shares its anchor's content, but weighs as much as a copy, so that
//! whoever walks the tree later meets at most [`NODES`] nodes and [`DEPTH`] levels.

mod keys;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::hint;

use super::mistake::Mistake;
use super::scalar::resolve;
use super::{Entry, Kind, Node, Scalar, Tag, Value};
use crate::diagnostic::Span;
use keys::Key;

/// The most nodes a file may have, aliases written out.
pub(super) const NODES: usize = 1_000_000;
/// The most levels of lists and maps, aliases written out.
pub(super) const DEPTH: usize = 128;
/// The most findings that are reported for one file.
const FINDINGS: usize = 100;

/// What to do with `<<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merges {
    /// Their entries join the map.
    Resolved,
    /// They stay as a key (an editor must see what stands in the file).
    Kept,
}

/// What a text holds.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Option<Node>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    /// The ranges of tagged values, tags included.
    pub(super) tagged: Vec<Span>,
    /// Whether reading ended before the end of the text, so that `tagged` is not complete.
    pub(super) cut: bool,
}

/// Reads `text`.
pub(super) fn build(text: &str, merges: Merges) -> Tree {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH + 1,
        block_nesting_limit: DEPTH + 1,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::new(text, merges);
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => {
                let context = builder.context();
                Err(Box::new(hint::scan_error(text, error.kind(), error.marker().byte_offset().unwrap_or(text.len()), context)))
            }
        };
        if let Err(mistake) = step {
            builder.report(*mistake);
            builder.tree.cut = true;
            break;
        }
    }
    builder.tree
}

/// One event taken; an error ends the reading.
type Step = Result<(), Box<Mistake>>;

/// A collection that is not finished yet. Its children lie on the builder's stacks from `from` on.
struct Frame {
    map: bool,
    flow: bool,
    from: usize,
    start: usize,
    /// Where the last child ends: a block collection ends there, not at the next token.
    end: usize,
    tag: Option<Tag>,
    anchor: usize,
    weight: usize,
    height: usize,
    key: Option<Key>,
    merges: Vec<(Span, Node)>,
    seen: Option<HashMap<Arc<str>, Span>>,
}

/// A node with what it costs.
#[derive(Clone)]
struct Weighed {
    node: Node,
    weight: usize,
    height: usize,
}

struct Builder<'t> {
    text: &'t str,
    merges: Merges,
    frames: Vec<Frame>,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    anchors: HashMap<usize, Weighed>,
    names: HashSet<Arc<str>>,
    absent: Arc<Scalar>,
    total: usize,
    documents: usize,
    last: Span,
    tree: Tree,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str, merges: Merges) -> Self {
        Self {
            text,
            merges,
            frames: Vec::new(),
            nodes: Vec::new(),
            entries: Vec::new(),
            anchors: HashMap::new(),
            names: HashSet::new(),
            absent: Arc::new(Scalar { text: String::new(), kind: Kind::Null, plain: true }),
            total: 0,
            documents: 0,
            last: Span::default(),
            tree: Tree { root: None, mistakes: Vec::new(), warnings: Vec::new(), tagged: Vec::new(), cut: false },
        }
    }

    /// What the reader knew when the scan broke off.
    fn context(&self) -> hint::Context {
        hint::Context { last: self.last, open: self.frames.iter().rfind(|frame| frame.flow).map(|frame| frame.start) }
    }

    /// Whether no more findings are taken, so that none needs to be worked out.
    fn is_full(&self) -> bool {
        self.tree.mistakes.len() >= FINDINGS
    }

    fn report(&mut self, mistake: Mistake) {
        // One wrong piece of text often breaks two rules; the first finding says it all.
        let said = self.tree.mistakes.last().is_some_and(|last| last.span.start == mistake.span.start);
        if !said && !self.is_full() {
            let start = self.text.floor_char_boundary(mistake.span.start);
            let span = Span::new(start, self.text.ceil_char_boundary(mistake.span.end.max(start)));
            self.tree.mistakes.push(Mistake { span, ..mistake });
        }
    }

    /// Takes one event; an error ends the reading.
    fn event(&mut self, event: Event<'t>, at: &granit_parser::Span) -> Step {
        let span = at.byte_range().map_or_else(Span::default, |range| Span::new(range.start, range.end));
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let mistake = Mistake::new(span, "a file holds one document", "a second one starts here");
                    return Err(Box::new(mistake.help("put it in a file of its own")));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_deref().and_then(granit_parser::Tag::core_suffix);
                let forced = match core {
                    Some("str") => Some(Kind::Text),
                    Some("int" | "float" | "bool" | "null") if style != ScalarStyle::Plain => Some(resolve(&text)),
                    _ => None,
                };
                let token = Token { text, style, forced, span };
                self.scalar(token, anchor, at)
            }
            Event::SequenceStart(style, anchor, _) => self.open(false, style, anchor, span, at),
            Event::MappingStart(style, anchor, _) => self.open(true, style, anchor, span, at),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(_) => {
                if !self.is_full() {
                    self.report(hint::unknown_alias(self.text, span));
                }
                self.count(1, span)?;
                let node = self.absent_at(span);
                self.add(Weighed { node, weight: 1, height: 0 })
            }
            _ => Ok(()),
        }
    }

    fn tag(&mut self, at: &granit_parser::Span) -> Option<Tag> {
        let range = at.tag_span()?.byte_range()?;
        let span = Span::new(range.start, range.end);
        let name = self.intern(Cow::Borrowed(self.text.get(range)?));
        Some(Tag { name, span })
    }

    fn intern(&mut self, text: Cow<'_, str>) -> Arc<str> {
        if let Some(name) = self.names.get(&*text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(&*text);
        self.names.insert(Arc::clone(&name));
        name
    }

    fn absent_at(&self, span: Span) -> Node {
        Node { value: Value::Scalar(Arc::clone(&self.absent)), span, used_at: span, tag: None }
    }

    fn scalar(&mut self, token: Token<'t>, anchor: usize, at: &granit_parser::Span) -> Step {
        let tag = self.tag(at);
        let plain = token.style == ScalarStyle::Plain;
        let waits_for_key = self.frames.last().is_some_and(|frame| frame.map && frame.key.is_none());
        if plain && token.span.start == token.span.end {
            let at = self.behind_key(token.span.start, tag.is_some() || anchor != 0);
            self.note_cut(at, true);
            let span = Span::new(at, at);
            if waits_for_key {
                self.key_of(None, Span::new(token.span.start, token.span.start), "a key is missing here");
                return Ok(());
            }
            if self.frames.is_empty() && tag.is_none() && anchor == 0 {
                return Ok(());
            }
            let node = Node { tag, ..self.absent_at(span) };
            return self.finish(node, anchor, 1, 0);
        }
        let span = match token.style {
            ScalarStyle::Literal | ScalarStyle::Folded => self.trimmed(token.span),
            _ => token.span,
        };
        self.last = span;
        let kind = token.forced.unwrap_or_else(|| match &tag {
            // The non-specific tag makes it text (YAML 1.2.2 §10.3.2).
            Some(tag) if &*tag.name == "!" => Kind::Text,
            _ if plain => resolve(&token.text),
            _ => Kind::Text,
        });
        if plain && !waits_for_key {
            self.note_cut(span.end, false);
        }
        if waits_for_key && anchor == 0 {
            self.scalar_key(token.text, kind, plain, span);
            return Ok(());
        }
        let scalar = Scalar { text: token.text.into_owned(), kind, plain };
        let node = Node { value: Value::Scalar(Arc::new(scalar)), span, used_at: span, tag };
        self.finish(node, anchor, 1, 0)
    }

    /// Where an absent value stands: behind the colon of its key, behind its `-`, or behind its own tag or anchor.
    fn behind_key(&self, at: usize, own: bool) -> usize {
        let before = |at: usize| self.text.get(..at).map_or(at, |text| text.trim_end().len());
        match self.frames.last() {
            Some(Frame { map: true, key: Some(key), .. }) if !own => {
                let rest = self.text.get(key.span.end..).unwrap_or_default();
                let gap = rest.len() - rest.trim_start().len();
                if rest[gap..].starts_with(':') { key.span.end + gap + 1 } else { key.span.end }
            }
            _ => before(at),
        }
    }

    /// The range of a block scalar without the line breaks at its end; without content it is empty and stands behind the header.
    fn trimmed(&self, span: Span) -> Span {
        let text = self.text.get(span.start..span.end).unwrap_or_default();
        let length = text.trim_end_matches(['\n', '\r', ' ']).len();
        let before = self.text.get(..span.start).unwrap_or_default();
        // At the end of a file the parser gives the header; content has nothing but spaces before it on its line.
        let is_header = !before[before.rfind('\n').map_or(0, |nl| nl + 1)..].trim_start_matches('\u{FEFF}').trim().is_empty();
        match length {
            0 => Span::new(before.trim_end().len(), before.trim_end().len()),
            length if is_header => Span::new(span.start + length, span.start + length),
            length => Span::new(span.start, span.start + length),
        }
    }

    /// A `#` behind a space cuts a value off; without a space behind it, it was probably part of the value.
    fn note_cut(&mut self, end: usize, absent: bool) {
        let rest = &self.text.as_bytes()[end.min(self.text.len())..];
        let gap = rest.iter().take_while(|&&b| b == b' ' || b == b'\t').count();
        let cut = gap > 0
            && rest.get(gap) == Some(&b'#')
            && rest.get(gap + 1).is_some_and(|b| !b.is_ascii_whitespace() && !matches!(b, b'#' | b'!' | b'-' | b'='));
        if cut && self.tree.warnings.len() < FINDINGS {
            self.tree.warnings.push(hint::cut_by_comment(self.text, end + gap, absent));
        }
    }

    fn open(&mut self, map: bool, style: StructureStyle, anchor: usize, span: Span, at: &granit_parser::Span) -> Step {
        if self.frames.len() >= DEPTH {
            return Err(too_deep(span));
        }
        let tag = self.tag(at);
        let from = if map { self.entries.len() } else { self.nodes.len() };
        self.frames.push(Frame {
            map,
            flow: style == StructureStyle::Flow,
            from,
            start: span.start,
            end: span.end,
            tag,
            anchor,
            weight: 1,
            height: 0,
            key: None,
            merges: Vec::new(),
            seen: None,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Step {
        let Some(mut frame) = self.frames.pop() else { return Ok(()) };
        let span = Span::new(frame.start, if frame.flow { span.end } else { frame.end });
        let value = if frame.map {
            for (at, node) in std::mem::take(&mut frame.merges) {
                self.merge(&mut frame, at, &node);
            }
            Value::Mapping(self.entries.drain(frame.from..).collect())
        } else {
            Value::Sequence(self.nodes.drain(frame.from..).collect())
        };
        let node = Node { value, span, used_at: span, tag: frame.tag };
        self.finish(node, frame.anchor, frame.weight, frame.height + 1)
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        let Some(found) = self.anchors.get(&id).cloned() else {
            self.report(Mistake::new(span, "an alias can't stand inside its own anchor", "this would never end"));
            let node = self.absent_at(span);
            return self.add(Weighed { node, weight: 1, height: 0 });
        };
        self.last = span;
        self.count(found.weight, span)?;
        self.add(Weighed { node: Node { used_at: span, ..found.node }, ..found })
    }

    /// Counts nodes; too many of them end the reading.
    fn count(&mut self, weight: usize, at: Span) -> Step {
        self.total = self.total.saturating_add(weight);
        if self.total > NODES {
            let message = format!("the file holds more than {NODES} values, aliases written out");
            return Err(Box::new(Mistake::new(at, message, "the limit is reached here")));
        }
        Ok(())
    }

    /// Adds a finished node and keeps it when it has an anchor.
    fn finish(&mut self, node: Node, anchor: usize, weight: usize, height: usize) -> Step {
        self.count(1, node.span)?;
        if let Some(tag) = &node.tag {
            self.tree.tagged.push(Span::new(tag.span.start.min(node.span.start), node.span.end.max(tag.span.end)));
        }
        let weighed = Weighed { node, weight, height };
        if anchor != 0 {
            self.anchors.insert(anchor, weighed.clone());
        }
        self.add(weighed)
    }

    /// Puts a node where the file has it: into the open list or map, or at the top.
    fn add(&mut self, weighed: Weighed) -> Step {
        let Weighed { node, weight, height } = weighed;
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else {
            self.tree.root = Some(node);
            return Ok(());
        };
        if depth + height > DEPTH {
            return Err(too_deep(node.used_at));
        }
        frame.weight = frame.weight.saturating_add(weight);
        frame.height = frame.height.max(height);
        let tag_end = node.tag.as_ref().map_or(0, |tag| tag.span.end);
        frame.end = frame.end.max(node.used_at.end).max(if node.used_at == node.span { tag_end } else { 0 });
        if !frame.map {
            self.nodes.push(node);
            return Ok(());
        }
        match frame.key.take() {
            Some(key) => self.entry(key, node),
            None => self.node_key(&node),
        }
        Ok(())
    }
}

/// A scalar as the parser gave it.
struct Token<'t> {
    text: Cow<'t, str>,
    style: ScalarStyle,
    forced: Option<Kind>,
    span: Span,
}

fn too_deep(at: Span) -> Box<Mistake> {
    Box::new(Mistake::new(at, format!("the file is nested deeper than {DEPTH} levels"), "the limit is reached here"))
}
