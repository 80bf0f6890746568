//! Whether a version may have the API that it has, by what changed since the last release
//! ([Semantic Versioning](https://semver.org), as cargo applies it below 1.0).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use anyhow::{Context, Error, Result, bail};

/// The three numbers of a version; what follows them, as in `1.0.0-rc.1`, is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u64; 3]);

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("{text:?} is not a version"))?;
        let numbers = numbers.try_into();
        numbers
            .map(Self)
            .map_err(|_| Error::msg(format!("{text:?} is not a version")))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Version {
    /// The lowest version that may follow this one with such a change.
    fn after(self, change: Change) -> Self {
        let Self([major, minor, patch]) = self;
        Self(match (change, self.0) {
            (Change::None, _) => self.0,
            (Change::Breaking, [0, 0, _]) | (Change::Addition, [0, ..]) => {
                [major, minor, patch + 1]
            }
            (Change::Breaking, [0, ..]) | (Change::Addition, _) => [major, minor + 1, 0],
            (Change::Breaking, _) => [major + 1, 0, 0],
        })
    }
}

/// What a difference demands of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// The same API.
    None,
    /// Programs written for the API before still compile.
    Addition,
    /// They may not.
    Breaking,
}

/// The lines in which two listings of an API differ.
pub(crate) struct Difference<'a> {
    /// What was removed or has another form now.
    pub(crate) gone: Vec<&'a str>,
    /// What is new, and what each line demands.
    pub(crate) new: Vec<(&'a str, Change)>,
}

impl<'a> Difference<'a> {
    /// What turns one listing into the other.
    pub(crate) fn between(before: &'a str, now: &'a str) -> Self {
        let old: BTreeSet<&str> = before.lines().collect();
        let current: BTreeSet<&str> = now.lines().collect();
        let api = Types::of(before);
        Self {
            gone: old.difference(&current).copied().collect(),
            new: current
                .difference(&old)
                .map(|line| (*line, api.with(line)))
                .collect(),
        }
    }

    /// What all of it demands.
    pub(crate) fn change(&self) -> Change {
        if !self.gone.is_empty() {
            return Change::Breaking;
        }
        let new = self.new.iter().map(|(_, change)| *change);
        new.max().unwrap_or(Change::None)
    }
}

/// The types of a listing which a new line can break.
struct Types<'a>(BTreeMap<&'a str, Type>);

enum Type {
    /// A `match` without a last arm for all others names each variant.
    ExhaustiveEnum,
    /// Matched with all of its fields.
    Variant,
    /// Written as a literal, unless it has no public field.
    ExhaustiveStruct { has_fields: bool },
    /// Implemented by others, who lack a new method. That one has a body is not listed.
    Trait,
}

impl<'a> Types<'a> {
    fn of(listing: &'a str) -> Self {
        let mut types = BTreeMap::new();
        for line in listing.lines() {
            let exhaustive = !line.contains("#[non_exhaustive]");
            match item(line) {
                (Some("enum"), path) if exhaustive => {
                    types.insert(path, Type::ExhaustiveEnum);
                }
                (Some("struct" | "union"), path) if exhaustive => {
                    types.insert(path, Type::ExhaustiveStruct { has_fields: false });
                }
                (Some("trait"), path) => {
                    types.insert(path, Type::Trait);
                }
                // A field has a type.
                (None, path) if exhaustive && !line.contains(": ") => {
                    types.insert(path, Type::Variant);
                }
                _ => {}
            }
        }
        // Fields come with a path below that of their type, wherever in the listing.
        for line in listing.lines() {
            if let (None, path) = item(line)
                && let Some(Type::ExhaustiveStruct { has_fields }) = types.get_mut(parent(path))
            {
                *has_fields = true;
            }
        }
        Self(types)
    }

    /// What a new line demands.
    fn with(&self, line: &str) -> Change {
        let (kind, path) = item(line);
        let breaks = match (self.0.get(parent(path)), kind) {
            (Some(Type::ExhaustiveEnum | Type::Variant), None) | (Some(Type::Trait), Some(_)) => {
                true
            }
            (Some(Type::ExhaustiveStruct { has_fields }), None) => *has_fields,
            _ => false,
        };
        if breaks {
            Change::Breaking
        } else {
            Change::Addition
        }
    }
}

/// The path without its last name.
fn parent(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// The keyword of an item (`None`: a variant or a field, which have none) and its path.
fn item(line: &str) -> (Option<&str>, &str) {
    let mut rest = line;
    while let Some((attribute, after)) = rest.split_once("] ")
        && attribute.starts_with("#[")
    {
        rest = after;
    }
    let Some(mut rest) = rest.strip_prefix("pub ") else {
        // `impl …`: nothing lies below it.
        return (Some("impl"), "");
    };
    // Of `const fn` and `unsafe trait` the last word says what it is.
    let mut keyword = None;
    while let Some((word, after)) = rest.split_once(' ')
        && word.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        keyword = Some(word);
        rest = after;
    }
    let path = rest
        .find(|c: char| !c.is_alphanumeric() && !"_:".contains(c))
        .map_or(rest, |end| &rest[..end]);
    (keyword, path.trim_end_matches(':'))
}

/// Fails when the version is too low for what changed since the released one.
pub(crate) fn check(released: Version, now: Version, change: Change) -> Result<()> {
    let least = released.after(change);
    if now >= least {
        return Ok(());
    }
    let what = match change {
        Change::None => "no change of the API",
        Change::Addition => "an addition to the API",
        Change::Breaking => "a change of the API that breaks users",
    };
    bail!("{what} since {released} needs version {least} or a later one, and this is {now}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "\
pub mod engine
pub enum engine::Check
pub engine::Check::Blur
#[non_exhaustive] pub enum engine::Error
pub engine::Error::Hash
pub engine::Error::Hash::name: &'static str
pub struct engine::Box
pub engine::Box::x: f32
#[non_exhaustive] pub struct engine::Details
pub engine::Details::score: f32
pub struct engine::Engine
impl engine::Engine
pub fn engine::Engine::check(&self, &[u8]) -> engine::Verdict
pub const fn engine::Engine::name(self) -> &'static str
pub trait engine::Network
pub fn engine::Network::run(&self)
";

    fn change(now: &str) -> Change {
        Difference::between(API, now).change()
    }

    #[test]
    fn removed_and_changed_items_break_users_and_new_ones_do_not() {
        assert_eq!(change(API), Change::None);
        for line in API.lines() {
            let removed = API.replace(&format!("{line}\n"), "");
            assert_eq!(change(&removed), Change::Breaking, "without {line}");
        }
        for (before, now) in [
            ("x: f32", "x: f64"),
            ("&[u8])", "&[u8], u8)"),
            (
                "pub enum engine::Check",
                "#[non_exhaustive] pub enum engine::Check",
            ),
        ] {
            assert_eq!(change(&API.replace(before, now)), Change::Breaking, "{now}");
        }
        for (line, expected) in [
            ("pub fn engine::Engine::locate(&self)", Change::Addition),
            ("pub const engine::Engine::SIDE: u32", Change::Addition),
            ("pub struct engine::Other", Change::Addition),
            ("pub fn engine::open() -> engine::Engine", Change::Addition),
            ("impl core::fmt::Debug for engine::Engine", Change::Addition),
            ("pub engine::Error::Range", Change::Addition),
            ("pub engine::Details::blur: f32", Change::Addition),
            // It cannot have been written as a literal.
            ("pub engine::Engine::size: u32", Change::Addition),
            ("pub engine::Box::y: f32", Change::Breaking),
            ("pub engine::Check::Dark", Change::Breaking),
            ("pub engine::Error::Hash::size: u32", Change::Breaking),
            ("pub engine::Check::Blur::size: u32", Change::Breaking),
            ("pub fn engine::Network::stop(&self)", Change::Breaking),
        ] {
            assert_eq!(change(&format!("{API}{line}\n")), expected, "{line}");
        }
    }

    #[test]
    fn a_version_says_what_its_api_does_to_users() {
        for (released, change, least) in [
            ("0.0.3", Change::Breaking, "0.0.4"),
            ("0.0.3", Change::Addition, "0.0.4"),
            ("0.1.2", Change::None, "0.1.2"),
            ("0.1.2", Change::Addition, "0.1.3"),
            ("0.1.2", Change::Breaking, "0.2.0"),
            ("1.4.2", Change::None, "1.4.2"),
            ("1.4.2", Change::Addition, "1.5.0"),
            ("1.4.2", Change::Breaking, "2.0.0"),
        ] {
            let version = |text: &str| text.parse::<Version>().expect("a version");
            let (released, least) = (version(released), version(least));
            check(released, least, change).expect("the lowest that is allowed");
            check(released, version("9.0.0"), change).expect("a higher one");
            let Version([major, minor, patch]) = least;
            let below = match (minor, patch) {
                (0, 0) => [major - 1, 99, 99],
                (_, 0) => [major, minor - 1, 99],
                _ => [major, minor, patch - 1],
            };
            let refusal = check(released, Version(below), change).expect_err("a lower one");
            assert!(
                refusal.to_string().contains(&least.to_string()),
                "{refusal}"
            );
        }
        for wrong in ["", "1", "1.2", "1.2.x", "1.2.3.4"] {
            wrong.parse::<Version>().expect_err(wrong);
        }
        let rc: Version = "1.0.0-rc.1".parse().expect("a version");
        assert_eq!(rc.to_string(), "1.0.0");
    }

    #[test]
    fn the_committed_listing_is_understood() {
        let listing = include_str!("../../../engine/public-api.txt");
        for line in listing.lines() {
            let (kind, path) = item(line);
            let known = [
                "mod", "use", "enum", "struct", "fn", "const", "type", "trait", "impl",
            ];
            assert!(kind.is_none_or(|kind| known.contains(&kind)), "{line}");
            assert!(
                path.starts_with("livecheck_engine") || path.is_empty(),
                "{line}"
            );
        }
    }
}
