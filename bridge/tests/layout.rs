//! The layout of the bridge: imports run in one direction, and the files of one module form no circle.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use quote::ToTokens;
use syn::visit::{self, Visit};

/// Each module with the modules that it may import, as `src/lib.rs` draws them.
const LAYOUT: &[(&str, &[&str])] = &[
    ("cli", &["config"]),
    (
        "lifecycle",
        &[
            "app",
            "clock",
            "config",
            "description",
            "disconnects",
            "fanout",
            "health",
            "limits",
            "listener",
            "lobby",
            "session",
            "telemetry",
            "transport",
        ],
    ),
    (
        "config",
        &[
            "app",
            "clock",
            "disconnects",
            "fanout",
            "health",
            "limits",
            "listener",
            "lobby",
            "session",
            "telemetry",
            "transport",
        ],
    ),
    (
        "transport",
        &["app", "clock", "disconnects", "fanout", "health", "limits", "lobby", "session", "telemetry"],
    ),
    ("session", &["app", "clock", "disconnects", "fanout", "health", "limits", "lobby", "telemetry"]),
    ("lobby", &["app", "clock", "health", "limits", "telemetry"]),
    ("disconnects", &["app", "clock", "health", "limits", "telemetry"]),
    ("fanout", &["app", "clock", "health", "limits", "telemetry"]),
    ("app", &["clock", "health", "limits", "telemetry"]),
    ("listener", &["clock", "health", "limits", "telemetry"]),
    ("telemetry", &["clock", "health"]),
    ("limits", &[]),
    ("description", &[]),
    ("health", &[]),
    ("clock", &[]),
];

/// Modules that put everything together, and may import whatever they need.
const ENTRY_POINTS: [&str; 3] = ["lib", "main", "fuzzing"];

/// A module's path below the crate, such as `["session", "join"]`.
type ModulePath = Vec<String>;

/// Every import of the crate: from a module, to a path below the crate.
type Imports = Vec<(ModulePath, ModulePath)>;

/// Collects the paths of one file that lead into the crate.
struct Collector {
    module: ModulePath,
    /// Whether the file is the `mod.rs` of its module.
    is_parent: bool,
    imports: BTreeSet<ModulePath>,
    /// Depth of modules within the file, such as `mod tests`.
    depth: usize,
}

impl Collector {
    /// Resolves a path that begins with `crate`, `super` or `self`; any other path leads out of the crate.
    fn add(&mut self, segments: &[String]) {
        let mut base = self.module.clone();
        let mut rest = segments;
        match rest.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                rest = &rest[1..];
            }
            Some("self") if self.is_parent => rest = &rest[1..],
            Some("super") => {
                for _ in 0..self.depth {
                    if rest.first().is_some_and(|first| first == "super") {
                        rest = &rest[1..];
                    }
                }
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return,
        }
        base.extend(rest.iter().cloned());
        self.imports.insert(base);
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(prefix, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // What a macro does with its tokens is unknown, so only full paths are found there.
        let text = item.tokens.to_token_stream().to_string();
        for path in text.split("crate :: ").skip(1) {
            let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            self.add(&["crate".to_owned(), name]);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, item);
        self.depth -= 1;
    }
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn imports() -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = Vec::new();
    for file in source_files(&root) {
        let relative = file.strip_prefix(&root).unwrap().with_extension("");
        let mut module: ModulePath = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        let is_parent = module.last().is_some_and(|last| last == "mod");
        if is_parent {
            module.pop();
        }
        let syntax = syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut collector = Collector { module, is_parent, imports: BTreeSet::new(), depth: 0 };
        collector.visit_file(&syntax);
        let module = collector.module;
        imports.extend(collector.imports.into_iter().map(|import| (module.clone(), import)));
    }
    assert!(imports.len() > 100, "the imports were not found");
    imports
}

#[test]
fn imports_run_in_one_direction() {
    let allowed: BTreeMap<_, _> = LAYOUT.iter().copied().collect();
    let mut violations = Vec::new();
    for (from, to) in imports() {
        let (Some(from_module), Some(to_module)) = (from.first(), to.first()) else { continue };
        if from_module == to_module || ENTRY_POINTS.contains(&from_module.as_str()) {
            continue;
        }
        let may_import = allowed
            .get(from_module.as_str())
            .unwrap_or_else(|| panic!("{from_module} has no place in the layout"));
        // The configuration's tests parse the whole command line.
        let is_test_of_config = from_module == "config" && to_module == "cli";
        let is_module = allowed.contains_key(to_module.as_str());
        if is_module && !may_import.contains(&to_module.as_str()) && !is_test_of_config {
            violations.push(format!("{} must not import {}", from.join("::"), to.join("::")));
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn the_files_of_a_module_form_no_circle() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in imports() {
        // A folder's `mod.rs` names the items of its files, and the files name those of `mod.rs`: parent and child are
        // one module.
        let (Some(from_file), Some(to_file)) = (file_of(&from), file_of(&to)) else { continue };
        if from[0] == to[0] && from_file != to_file {
            edges.entry(from_file).or_default().insert(to_file);
        }
    }
    for file in edges.keys() {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> = edges[file].iter().collect();
        while let Some(other) = next.pop() {
            assert!(other != file, "{file} imports itself through {reached:?}");
            if reached.insert(other)
                && let Some(more) = edges.get(other)
            {
                next.extend(more);
            }
        }
    }
}

/// The file of a path, such as `session::join`, if the path names a module that exists as a file of its own.
fn file_of(path: &[String]) -> Option<String> {
    let [module, file, ..] = path else { return None };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
    let is_file = folder.join(file).with_extension("rs").is_file() || folder.join(file).is_dir();
    is_file.then(|| format!("{module}::{file}"))
}

#[test]
fn an_import_against_the_layout_is_found() {
    let source = "use crate::{clock, lifecycle::run}; fn f() { super::super::config::x(); crate::cli::y() }";
    let mut collector = Collector {
        module: vec!["app".to_owned(), "http".to_owned()],
        is_parent: false,
        imports: BTreeSet::new(),
        depth: 0,
    };
    collector.visit_file(&syn::parse_file(source).unwrap());
    let found: Vec<_> = collector.imports.iter().map(|import| import.join("::")).collect();
    assert_eq!(found, ["cli::y", "clock", "config::x", "lifecycle::run"]);
}
