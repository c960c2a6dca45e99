//! The folders and files that the API shows: a small fixed tree, fresh at every start, to which folders can be added.

use std::collections::BTreeMap;

use crate::clock::Timestamp;

/// The id of the folder that holds all others.
pub(super) const ROOT: &str = "0";
/// How many items there may be at one time.
const MOST_ITEMS: usize = 2_000;
/// Characters of the longest name, as at Box.
const LONGEST_NAME: usize = 255;
/// 2025-01-15T17:00:00Z: when the fixed items came to be.
const LONG_AGO: Timestamp = Timestamp(1_736_960_400);

/// What an item is; folders are listed before files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Folder,
    /// A text file.
    File(&'static str),
}

/// A folder or a file.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The folder that holds it; none for the root.
    pub(super) parent: Option<String>,
    pub(super) created_at: Timestamp,
}

/// Why a folder can't be made or deleted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No such folder.
    NotFound,
    /// Slashes, control characters, blanks at either end, `.` and `..`.
    BadName,
    LongName,
    /// The item with that id has the name; letter case does not count.
    NameInUse(String),
    NotEmpty,
    /// The root can't be deleted.
    Root,
    Full,
}

/// All items, by id.
pub(super) struct Tree {
    items: BTreeMap<String, Item>,
    next: u64,
}

impl Tree {
    /// Two folders, one of them empty, and three files.
    pub(super) fn sample() -> Self {
        let hello = "Hello from the sandbox.\n";
        let greeting = "Grüße aus Zürich, 東京からこんにちは。\n";
        let contract = "This is only a sample.\n";
        let rows = [
            (ROOT, Kind::Folder, "All Files", None),
            ("160000001", Kind::Folder, "Contracts", Some(ROOT)),
            ("160000002", Kind::Folder, "Empty", Some(ROOT)),
            ("1800000001", Kind::File(hello), "Welcome.txt", Some(ROOT)),
            ("1800000002", Kind::File(greeting), "Grüße 東京.txt", Some(ROOT)),
            ("1800000003", Kind::File(contract), "Sample contract.txt", Some("160000001")),
        ];
        let item = |(id, kind, name, parent): (&str, Kind, &str, Option<&str>)| {
            let parent = parent.map(str::to_owned);
            (id.to_owned(), Item { id: id.to_owned(), kind, name: name.to_owned(), parent, created_at: LONG_AGO })
        };
        Self { items: rows.into_iter().map(item).collect(), next: 160_000_100 }
    }

    /// The folder of that id.
    pub(super) fn folder(&self, id: &str) -> Option<&Item> {
        self.items.get(id).filter(|item| item.kind == Kind::Folder)
    }

    /// The file of that id, and its text.
    pub(super) fn file(&self, id: &str) -> Option<(&Item, &'static str)> {
        match self.items.get(id)? {
            item @ Item { kind: Kind::File(text), .. } => Some((item, text)),
            _ => None,
        }
    }

    /// The item of that id.
    pub(super) fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(id)
    }

    /// What lies directly in a folder: folders first, each kind by name.
    pub(super) fn children(&self, folder: &str) -> Vec<&Item> {
        let mut children: Vec<&Item> = self.inside(folder).collect();
        children.sort_by_cached_key(|item| (item.kind != Kind::Folder, item.name.to_lowercase(), item.id.clone()));
        children
    }

    /// The folders above an item, from the root down.
    pub(super) fn path(&self, item: &Item) -> Vec<&Item> {
        let above = |item: &&Item| self.items.get(item.parent.as_ref()?);
        let mut path: Vec<&Item> = std::iter::successors(above(&item), above).collect();
        path.reverse();
        path
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(super) fn create_folder(&mut self, parent: &str, name: &str, now: Timestamp) -> Result<&Item, Refused> {
        if name.chars().count() > LONGEST_NAME {
            return Err(Refused::LongName);
        }
        let bad = |c: char| c == '/' || c == '\\' || c.is_control();
        if name.is_empty() || name == "." || name == ".." || name.trim() != name || name.contains(bad) {
            return Err(Refused::BadName);
        }
        self.folder(parent).ok_or(Refused::NotFound)?;
        let wanted = name.to_lowercase();
        if let Some(other) = self.inside(parent).find(|item| item.name.to_lowercase() == wanted) {
            return Err(Refused::NameInUse(other.id.clone()));
        }
        if self.items.len() >= MOST_ITEMS {
            return Err(Refused::Full);
        }
        self.next = self.next.saturating_add(1);
        let id = self.next.to_string();
        let (parent, name) = (Some(parent.to_owned()), name.to_owned());
        let item = Item { id: id.clone(), kind: Kind::Folder, name, parent, created_at: now };
        Ok(self.items.entry(id).or_insert(item))
    }

    /// Deletes a folder, with all that is in it when `recursive`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(super) fn delete_folder(&mut self, id: &str, recursive: bool) -> Result<(), Refused> {
        self.folder(id).ok_or(Refused::NotFound)?;
        if id == ROOT {
            return Err(Refused::Root);
        }
        if !recursive && self.inside(id).next().is_some() {
            return Err(Refused::NotEmpty);
        }
        let mut doomed = vec![id.to_owned()];
        while let Some(id) = doomed.pop() {
            doomed.extend(self.inside(&id).map(|item| item.id.clone()));
            self.items.remove(&id);
        }
        Ok(())
    }

    /// Whether an item is `root`, or lies in it.
    pub(super) fn is_within(&self, id: &str, root: &str) -> bool {
        id == root || self.items.get(id).is_some_and(|item| self.path(item).iter().any(|above| above.id == root))
    }

    fn inside(&self, folder: &str) -> impl Iterator<Item = &Item> {
        self.items.values().filter(move |item| item.parent.as_deref() == Some(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(items: &[&Item]) -> Vec<String> {
        items.iter().map(|item| item.name.clone()).collect()
    }

    #[test]
    fn folders_come_first_then_files_by_name() {
        assert_eq!(names(&Tree::sample().children(ROOT)), ["Contracts", "Empty", "Grüße 東京.txt", "Welcome.txt"]);
    }

    #[test]
    fn a_path_goes_from_the_root_down() {
        let tree = Tree::sample();
        assert_eq!(names(&tree.path(tree.item("1800000003").unwrap())), ["All Files", "Contracts"]);
        assert!(tree.path(tree.item(ROOT).unwrap()).is_empty());
    }

    #[test]
    fn names_that_a_folder_can_not_have() {
        let cases = [
            ("", Refused::BadName),
            ("..", Refused::BadName),
            ("a/b", Refused::BadName),
            ("a\\b", Refused::BadName),
            (" a", Refused::BadName),
            ("a\n", Refused::BadName),
            (&"東".repeat(256), Refused::LongName),
            ("cONTRACTS", Refused::NameInUse("160000001".to_owned())),
        ];
        for (name, expected) in cases {
            assert_eq!(Tree::sample().create_folder(ROOT, name, LONG_AGO).unwrap_err(), expected, "{name}");
        }
        assert_eq!(Tree::sample().create_folder("1800000001", "x", LONG_AGO).unwrap_err(), Refused::NotFound);
    }

    #[test]
    fn only_an_empty_folder_goes_without_asking_twice() {
        let mut tree = Tree::sample();
        let inner = tree.create_folder("160000001", "Inner", LONG_AGO).unwrap().id.clone();
        assert_eq!(tree.delete_folder("160000001", false), Err(Refused::NotEmpty));
        assert_eq!(tree.delete_folder("160000001", true), Ok(()));
        assert!(tree.item(&inner).is_none() && tree.item("1800000003").is_none());
        assert_eq!(tree.delete_folder(ROOT, true), Err(Refused::Root));
        assert_eq!(tree.delete_folder("160000002", false), Ok(()));
    }

    #[test]
    fn the_tree_does_not_grow_without_end() {
        let mut tree = Tree::sample();
        let mut parent = ROOT.to_owned();
        while tree.items.len() < MOST_ITEMS {
            parent = tree.create_folder(&parent, "deeper", LONG_AGO).unwrap().id.clone();
        }
        assert_eq!(tree.create_folder(&parent, "deeper", LONG_AGO).unwrap_err(), Refused::Full);
        assert_eq!(tree.path(tree.item(&parent).unwrap()).len(), MOST_ITEMS - 6);
    }
}
