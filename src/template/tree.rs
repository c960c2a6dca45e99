//! A value whose leaves are templates.
/// A value with `T` at its leaves and keys.
#[derive(Debug, Clone)]
pub enum Tree<T> {
    /// One value.
    Leaf(T),
    /// A list.
    List(Vec<Tree<T>>),
    /// A map.
    Map(Vec<(T, Tree<T>)>),
}
impl<T> Tree<T> {
    /// All templates, keys included.
    pub fn templates(&self) -> Box<dyn Iterator<Item = &T> + '_> {
        match self {
            Self::Leaf(t) => Box::new(std::iter::once(t)),
            Self::List(items) => Box::new(items.iter().flat_map(Self::templates)),
            Self::Map(entries) => Box::new(entries.iter().flat_map(|(k, v)| std::iter::once(k).chain(v.templates()))),
        }
    }
}
