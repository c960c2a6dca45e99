//! `runner env list`.

use std::io::Write;
use std::path::Path;

use crate::diagnostic::{Paint, Style, printable};
use crate::environment::{self, Listed};
use crate::mask::Masker;
use crate::report::columns;
use crate::world::World;

use super::super::{Diagnostics, Exit};
use super::{ListArgs, NONE, root};

/// Lists the environments that can be chosen in the working folder.
pub(super) fn run(mut world: World, args: &ListArgs) -> Exit {
    let masker = Masker::new();
    let style = Style::new(world.colour(&world.stdout, args.color.into()));
    let mut diagnostics = Diagnostics::of(&mut world, args.color.into(), &masker);
    let root = match root(&world, args.root.as_ref()) {
        Ok(root) => root,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let listed = environment::list(&world.folder, root.path());
    let text = if listed.is_empty() {
        format!(
            "{NONE} `{}`\nan environment is a file such as `environments/dev.yaml`:\n\n\
             variables:\n  api_url: https://api.example.com\n  api_key: !secret\n",
            root.path().display()
        )
    } else {
        table(&listed, &world.folder, style)
    };
    let _ = world.stdout.write_all(text.as_bytes()).and_then(|()| world.stdout.flush());
    Exit::Passed
}

fn table(listed: &[Listed], folder: &Path, style: Style) -> String {
    let shown = |path: &Path| printable(&path.strip_prefix(folder).unwrap_or(path).display().to_string()).into_owned();
    let rows: Vec<[String; 4]> = listed
        .iter()
        .map(|listed| {
            let local = listed.local.as_deref().map(shown).unwrap_or_else(|| "no local file".to_owned());
            let extends = match listed.extends.is_empty() {
                true => String::new(),
                false => format!("extends {}", printable(&listed.extends.join(", "))),
            };
            [printable(&listed.name).into_owned(), shown(&listed.path), local, extends]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let padded = |text: &str, column: usize| format!("{text}{}", " ".repeat(widths[column].saturating_sub(columns(text))));
    let mut out = String::new();
    for [name, path, local, extends] in &rows {
        let name = style.paint(Paint::Strong, &padded(name, 0));
        let local = style.paint(Paint::Faint, format!("{}  {extends}", padded(local, 2)).trim_end());
        out += &format!("{name}  {}  {local}\n", padded(path, 1));
    }
    out
}
