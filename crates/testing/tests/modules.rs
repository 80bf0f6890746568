//! The modules of each crate use each other in one direction: no circle anywhere. The graph is drawn from
//! the sources: who names an item of whose, re-exports followed to where the item is defined.
//! `cargo test --workspace --test modules -- --nocapture` prints it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Item, ItemMod, UseTree,
    visit::{self, Visit},
};

/// Names from the crate's root down.
type Name = Vec<String>;

/// A module, as far as others see into it.
#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    /// Names that it has from elsewhere, and the paths behind them.
    imports: BTreeMap<String, Name>,
    /// Paths whose every item it has.
    globs: Vec<Name>,
    /// Paths that its code names.
    paths: BTreeSet<Name>,
}

/// The modules of one crate.
type Crate = BTreeMap<Name, Module>;

/// Whether an item is compiled for tests alone.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

/// The file that `#[path]` names.
fn named_file(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| {
        let value = &attribute.meta.require_name_value().ok()?;
        match &value.value {
            syn::Expr::Lit(literal) if value.path.is_ident("path") => match &literal.lit {
                syn::Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

/// Reads a module's file and those of the modules in it. `folder`: where the files of its children are.
fn read(file: &Path, folder: &Path, name: &[String], modules: &mut Crate) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    add(&parsed.items, file, folder, name, modules);
}

fn add(items: &[Item], file: &Path, folder: &Path, name: &[String], modules: &mut Crate) {
    let mut module = Module::default();
    for item in items {
        match item {
            Item::Mod(child) if is_test(&child.attrs) => {}
            Item::Mod(child) => {
                let ident = child.ident.to_string();
                module.children.insert(ident.clone());
                let child_name = [name, std::slice::from_ref(&ident)].concat();
                if modules.contains_key(&child_name) {
                    // The same module for another feature: the first stands.
                    continue;
                }
                let child_folder = folder.join(&ident);
                match &child.content {
                    Some((_, items)) => add(items, file, &child_folder, &child_name, modules),
                    None => {
                        let beside = file.parent().expect("a folder");
                        let found = match named_file(child) {
                            Some(named) => beside.join(named),
                            None => [
                                folder.join(format!("{ident}.rs")),
                                child_folder.join("mod.rs"),
                            ]
                            .into_iter()
                            .find(|path| path.exists())
                            .unwrap_or_else(|| panic!("no file for {ident} in {}", file.display())),
                        };
                        read(&found, &child_folder, &child_name, modules);
                    }
                }
            }
            Item::Use(import) if is_test(&import.attrs) => {}
            Item::Use(import) => collect(&import.tree, Vec::new(), &mut module),
            other => Paths(&mut module).visit_item(other),
        }
    }
    modules.insert(name.to_vec(), module);
}

/// Notes every path of an import.
fn collect(tree: &UseTree, mut before: Name, module: &mut Module) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect(&path.tree, before, module);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, before.clone(), module);
            }
        }
        UseTree::Glob(_) => module.globs.push(before),
        UseTree::Name(name) if name.ident == "self" => {
            if let Some(last) = before.last().cloned() {
                module.imports.insert(last, before);
            }
        }
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            module.imports.insert(name.ident.to_string(), before);
        }
        UseTree::Rename(rename) => {
            if rename.ident != "self" {
                before.push(rename.ident.to_string());
            }
            module.imports.insert(rename.rename.to_string(), before);
        }
    }
}

/// Notes the paths in code, and imports inside functions.
struct Paths<'a>(&'a mut Module);

impl Visit<'_> for Paths<'_> {
    fn visit_path(&mut self, path: &syn::Path) {
        let names = path.segments.iter().map(|part| part.ident.to_string());
        if path.segments.len() > 1 {
            self.0.paths.insert(names.collect());
        }
        visit::visit_path(self, path);
    }

    /// The tokens of a macro are no syntax tree: what looks like a path in them is one.
    fn visit_macro(&mut self, call: &syn::Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        let paths = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let names = paths.map(|path| path.split("::").map(str::to_owned).collect::<Name>());
        let named = |path: &Name| path.len() > 1 && path.iter().all(|name| !name.is_empty());
        self.0.paths.extend(names.filter(named));
        visit::visit_macro(self, call);
    }

    fn visit_item_use(&mut self, import: &syn::ItemUse) {
        let mut inner = Module::default();
        collect(&import.tree, Vec::new(), &mut inner);
        self.0.paths.extend(inner.imports.into_values());
        self.0.paths.extend(inner.globs);
    }
}

/// The module that defines what a path, named in `at`, leads to; `None`: it leads out of the crate.
fn defining(modules: &Crate, at: &[String], path: &[String], depth: usize) -> Option<Name> {
    /// No re-export goes through more.
    const DEEPEST: usize = 16;

    let (first, mut rest) = path.split_first()?;
    let mut module: Name = match first.as_str() {
        "crate" => Vec::new(),
        "self" => at.to_vec(),
        "super" => {
            let mut up = at.split_last()?.1.to_vec();
            while rest.first().is_some_and(|name| name == "super") {
                up = up.split_last()?.1.to_vec();
                rest = &rest[1..];
            }
            up
        }
        name => {
            let here = &modules[at];
            if here.children.contains(name) {
                [at, &[name.to_owned()]].concat()
            } else if let Some(import) = here.imports.get(name).filter(|import| *import != path) {
                let full = [import.as_slice(), rest].concat();
                return (depth < DEEPEST)
                    .then(|| defining(modules, at, &full, depth + 1))
                    .flatten();
            } else {
                return None;
            }
        }
    };
    while let Some((name, after)) = rest.split_first() {
        let here = modules.get(&module)?;
        if here.children.contains(name) {
            module.push(name.clone());
            rest = after;
        } else if let Some(import) = here.imports.get(name) {
            if depth == DEEPEST {
                return None;
            }
            let full = [import.as_slice(), after].concat();
            return defining(modules, &module, &full, depth + 1);
        } else {
            // An item of the module's own, or one that a glob brings in.
            return Some(module);
        }
    }
    Some(module)
}

/// Who uses whom.
fn graph(modules: &Crate) -> BTreeMap<Name, BTreeSet<Name>> {
    let edges = modules.iter().map(|(name, module)| {
        let named = module.paths.iter().chain(module.imports.values());
        let mut used: BTreeSet<Name> = named
            .chain(&module.globs)
            .filter_map(|path| defining(modules, name, path, 0))
            .collect();
        used.remove(name);
        (name.clone(), used)
    });
    edges.collect()
}

/// Modules that, by whatever way, use themselves.
fn in_circles(graph: &BTreeMap<Name, BTreeSet<Name>>) -> Vec<&Name> {
    let reaches_itself = |start: &Name| {
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<&Name> = graph[start].iter().collect();
        while let Some(next) = ahead.pop() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                ahead.extend(&graph[next]);
            }
        }
        false
    };
    graph.keys().filter(|name| reaches_itself(name)).collect()
}

fn shown(name: &[String]) -> String {
    match name {
        [] => "(root)".to_owned(),
        name => name.join("::"),
    }
}

/// The modules of these sources that use themselves.
fn circles(modules: &Crate) -> Vec<String> {
    let graph = graph(modules);
    let circles: BTreeSet<&Name> = in_circles(&graph).into_iter().collect();
    let used = |name: &Name| {
        let inside = graph[name].iter().filter(|used| circles.contains(used));
        let used: Vec<String> = inside.map(|used| shown(used)).collect();
        used.join(", ")
    };
    let lines = circles.iter();
    lines
        .map(|name| format!("{} uses {}", shown(name), used(name)))
        .collect()
}

/// The root files of every crate of the workspace.
fn roots() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = fs::read_dir(&crates).expect("the folder of crates");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let mut roots: Vec<PathBuf> = folders
        .chain([crates.join("browser-detector/wasm")])
        .flat_map(|folder| ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)))
        .filter(|root| root.exists())
        .collect();
    roots.sort();
    roots
}

#[test]
fn no_module_uses_itself_by_way_of_others() {
    let roots = roots();
    assert!(roots.len() > 10, "{roots:?}");
    let mut wrong = Vec::new();
    for root in roots {
        let mut modules = Crate::new();
        read(&root, root.parent().expect("a folder"), &[], &mut modules);
        println!("# {}", root.display());
        for (name, used) in graph(&modules) {
            let used: Vec<String> = used.iter().map(|name| shown(name)).collect();
            println!("{} -> {}", shown(&name), used.join(", "));
        }
        let circles = circles(&modules).into_iter();
        wrong.extend(circles.map(|line| format!("{}: {line}", root.display())));
    }
    assert!(
        wrong.is_empty(),
        "circles of modules:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn made_up_circles_are_found() {
    let both = ["a uses b", "b uses a"];
    let cases: [(&str, &str, &[&str]); 7] = [
        (
            "one direction",
            "mod a { use crate::b::B; } mod b { pub struct B; }",
            &[],
        ),
        (
            "two modules",
            "mod a { pub struct A; use crate::b::B; }
             mod b { pub struct B; fn f() { drop(crate::a::A) } }",
            &both,
        ),
        (
            "three, one of them through a re-export",
            "pub use c::C;
             mod a { use crate::b; pub fn f() { b::g() } }
             mod b { pub fn g() { drop(super::C) } }
             mod c { use crate::a; pub struct C; fn f() { a::f() } }",
            &["a uses b", "b uses c", "c uses a"],
        ),
        (
            "in the arguments of a macro",
            "mod a { pub struct A; fn f() { assert!(crate::b::g()) } }
             mod b { use crate::a::A; pub fn g() -> bool { true } }",
            &both,
        ),
        (
            "a module and its child",
            "mod a { mod b { use super::A; pub struct B; } use b::B; struct A; }",
            &["a uses a::b", "a::b uses a"],
        ),
        (
            "the root and a module",
            "mod a { use crate::X; pub struct A; } use a::A; struct X;",
            &["(root) uses a", "a uses (root)"],
        ),
        (
            "tests of a module",
            "mod a { use b::B; mod b { pub struct B; }
             #[cfg(test)] mod tests { use super::*; } }",
            &[],
        ),
    ];
    for (name, source, expected) in cases {
        let parsed = syn::parse_file(source).expect(name);
        let mut modules = Crate::new();
        add(
            &parsed.items,
            Path::new(""),
            Path::new(""),
            &[],
            &mut modules,
        );
        assert_eq!(circles(&modules), expected, "{name}");
    }
}
