//! The walls of the house, read from the source: who may know whom, and what every file looks like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A source file: its path under `src`, and its lines without comments and without its tests.
struct Source {
    path: String,
    text: String,
    code: Vec<(usize, String)>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 50, "only {} files were found", files.len());
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = shipped
                .lines()
                .enumerate()
                .map(|(index, line)| (index + 1, without_comment(line).to_owned()))
                .filter(|(_, line)| !line.trim().is_empty())
                .collect();
            let path = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            Source { path, text, code }
        })
        .collect()
}

/// The line up to its comment. Two slashes within quotes, as in a URL, begin none.
fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    let mut previous = ' ';
    for (index, character) in line.char_indices() {
        match character {
            '"' if previous != '\\' => is_quoted = !is_quoted,
            '/' if previous == '/' && !is_quoted => return &line[..index - 1],
            _ => {}
        }
        previous = character;
    }
    line
}

impl Source {
    /// The module at the top that the file belongs to.
    fn floor(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The modules at the top that the file names, with the lines.
    fn imports(&self) -> Vec<(usize, String)> {
        // What leads to the top from this file: `super` from a module's own file, two of them from one beneath it.
        let is_top = self.path.ends_with("/mod.rs") || !self.path.contains('/');
        let upwards = if is_top { "super::" } else { "super::super::" };
        let mut imports = Vec::new();
        for (number, line) in &self.code {
            let line = line.replace(upwards, "crate::");
            for after in line.split("crate::").skip(1) {
                let end = after.find(|character: char| !character.is_alphanumeric() && character != '_');
                let name = &after[..end.unwrap_or(after.len())];
                if name.is_empty() {
                    // `use crate::{a, b::c};` on one line.
                    let list = after.trim_start_matches('{').split('}').next().unwrap();
                    let names = list.split(',').map(|item| item.trim().split("::").next().unwrap().to_owned());
                    imports.extend(names.map(|name| (*number, name)));
                } else {
                    imports.push((*number, name.to_owned()));
                }
            }
        }
        imports
    }
}

const HANDS: [&str; 4] = ["store", "psp", "courier", "mailer"];
const DOORS: [&str; 4] = ["api", "web", "work", "cli"];
const GROUND: [&str; 4] = ["config", "error", "telemetry", "clock"];

/// Imports of files on floor `from` that `is_allowed` does not allow, as `file:line: name`.
fn forbidden_imports(from: &[&str], is_allowed: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut forbidden = Vec::new();
    let mut looked_at = 0;
    for source in sources().iter().filter(|source| from.contains(&source.floor())) {
        looked_at += 1;
        for (number, name) in source.imports() {
            if !is_allowed(source.floor(), &name) {
                forbidden.push(format!("src/{}:{number}: {name}", source.path));
            }
        }
    }
    assert!(looked_at >= from.len(), "{from:?} has too few files");
    forbidden
}

/// Lines of code that `is_found` finds outside the places where that is allowed.
fn lines_outside(allowed: &[&str], is_found: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources().iter().filter(|source| !allowed.iter().any(|place| source.path.starts_with(place))) {
        for (number, line) in source.code.iter().filter(|(_, line)| is_found(line)) {
            lines.push(format!("src/{}:{number}: {}", source.path, line.trim()));
        }
    }
    lines
}

const NONE: [String; 0] = [];

#[test]
fn every_way_to_write_an_import_is_seen() {
    let names = |path: &str, line: &str| -> Vec<String> {
        let source = Source { path: path.to_owned(), text: String::new(), code: vec![(1, line.to_owned())] };
        source.imports().into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names("api/payments.rs", "use crate::store::payments::Filter;"), ["store"]);
    assert_eq!(names("api/payments.rs", "    crate::psp::call(crate::web::page())"), ["psp", "web"]);
    assert_eq!(names("api/payments.rs", "use crate::{api, telemetry::log};"), ["api", "telemetry"]);
    assert_eq!(names("store/mod.rs", "use super::gateway;"), ["gateway"]);
    assert_eq!(names("store/apps.rs", "use super::super::gateway;"), ["gateway"]);
    assert_eq!(names("store/apps.rs", "use super::schema::apps;"), [""; 0]);
    assert_eq!(without_comment("let a = \"http://x\"; // crate::web"), "let a = \"http://x\"; ");
}

#[test]
fn the_domain_imports_only_itself() {
    assert_eq!(forbidden_imports(&["domain"], |_, name| name == "domain"), NONE);
}

#[test]
fn the_ground_imports_only_values() {
    // The settings name a database, the providers' credentials and a mail server, each in its own words; a fault carries
    // what the store or a field refused.
    let allowed = |floor: &str, name: &str| {
        name == "domain"
            || GROUND.contains(&name)
            || matches!((floor, name), ("config", "psp" | "store" | "mailer") | ("error", "store"))
    };
    assert_eq!(forbidden_imports(&["config", "error", "clock"], allowed), NONE);
}

#[test]
fn the_hands_never_meet_each_other() {
    let allowed = |floor: &str, name: &str| name == floor || name == "domain" || GROUND.contains(&name);
    assert_eq!(forbidden_imports(&["store", "psp"], allowed), NONE);
    assert_eq!(forbidden_imports(&["courier", "mailer"], |_, name| name == "domain"), NONE);
}

#[test]
fn the_gateway_opens_no_door() {
    let allowed =
        |_: &str, name: &str| name == "gateway" || name == "domain" || HANDS.contains(&name) || GROUND.contains(&name);
    assert_eq!(forbidden_imports(&["gateway"], allowed), NONE);
}

#[test]
fn a_door_reaches_the_hands_only_through_the_gateway() {
    assert_eq!(forbidden_imports(&DOORS, |_, name| !HANDS.contains(&name)), NONE);
}

#[test]
fn the_doors_never_meet_each_other() {
    assert_eq!(forbidden_imports(&DOORS, |floor, name| name == floor || !DOORS.contains(&name)), NONE);
}

#[test]
fn sql_is_spoken_only_in_the_store() {
    assert_eq!(lines_outside(&["store/"], |line| line.contains("diesel")), NONE);
}

#[test]
fn requests_to_others_are_made_only_by_the_courier_and_the_providers() {
    // The demo plays the product; the gateway names the client's error.
    let allowed = ["courier.rs", "psp/http.rs", "client.rs", "cli/demo.rs", "gateway/mod.rs"];
    assert_eq!(lines_outside(&allowed, |line| line.contains("reqwest")), NONE);
    let gateway = sources().into_iter().find(|source| source.path == "gateway/mod.rs").unwrap();
    assert_eq!(gateway.code.iter().filter(|(_, line)| line.contains("reqwest")).count(), 1);
}

#[test]
fn our_own_api_is_called_from_outside_only_by_the_command_line() {
    assert_eq!(forbidden_imports(&["api", "web", "work", "serve"], |_, name| name != "client"), NONE);
    assert_eq!(forbidden_imports(&["client"], |_, name| name == "domain" || name == "clock"), NONE);
}

#[test]
fn a_provider_is_named_only_in_its_driver() {
    // The checkout page shows methods under the names that buyers know; each provider has a page of documentation.
    let names_provider = |line: &str| {
        let quoted = line.split('"').skip(1).step_by(2);
        quoted.map(str::to_lowercase).any(|text| ["nicepay", "polar", "paypal"].iter().any(|name| text.contains(name)))
    };
    assert!(names_provider(r#"let a = "x"; let b = "of Nicepay";"#));
    assert!(!names_provider(r#"let polar = "x";"#));
    assert_eq!(lines_outside(&["psp/", "web/mock_checkout.rs", "web/docs/pages.rs"], names_provider), NONE);
}

#[test]
fn every_module_says_at_its_top_what_lives_there() {
    let silent: Vec<String> =
        sources().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert_eq!(silent, NONE);
}

#[test]
fn nothing_that_ships_unwraps() {
    assert_eq!(lines_outside(&[], |line| line.contains(".unwrap()")), NONE);
}

#[test]
fn there_are_no_floats_but_in_measurements() {
    let is_float = |line: &str| {
        let words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
        words.clone().any(|word| matches!(word, "f32" | "f64")) && !line.contains("metrics::")
    };
    assert_eq!(lines_outside(&[], is_float), NONE);
}

#[test]
fn no_file_is_longer_than_a_sitting() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.text.lines().count() > 500)
        .map(|source| format!("{} has {} lines", source.path, source.text.lines().count()))
        .collect();
    assert_eq!(long, NONE);
}

/// The names of a backend's migrations, and the SQL of all of them.
fn migrations(backend: &str) -> (Vec<String>, String) {
    let directory = root().join("migrations").join(backend);
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| directory.join(name).is_dir())
        .collect();
    names.sort();
    let sql = names.iter().map(|name| std::fs::read_to_string(directory.join(name).join("up.sql")).unwrap()).collect();
    (names, sql)
}

/// The lines of each table, as later migrations leave it.
fn tables(sql: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in sql.lines() {
        if let Some((table, column)) =
            line.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" ADD COLUMN "))
        {
            tables.get_mut(table).unwrap().push(column.trim_end_matches(';').to_owned());
        } else if let Some((old, new)) =
            line.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" RENAME TO "))
        {
            let lines = tables.remove(old).unwrap();
            tables.insert(new.trim_end_matches(';').to_owned(), lines);
        } else if let Some(name) = line.strip_prefix("DROP TABLE ") {
            tables.remove(name.trim_end_matches(';')).unwrap();
        } else if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            let name = name.trim_end_matches(" (").to_owned();
            tables.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line.starts_with(')') {
            current = None;
        } else if let Some(name) = &current {
            tables.get_mut(name).unwrap().push(line.trim().trim_end_matches(',').to_owned());
        }
    }
    tables
}

fn first_words(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split(' ').next().unwrap()).filter(|word| *word != "CONSTRAINT").collect()
}

fn words_after<'a>(sql: &'a str, marker: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> =
        sql.split(marker).skip(1).map(|after| after.split([' ', '\n', ';']).next().unwrap()).collect();
    names.sort_unstable();
    // A table that is built anew names its parts again.
    names.dedup();
    names
}

#[test]
fn both_databases_have_the_same_migrations_tables_columns_indexes_and_constraints() {
    let (sqlite_names, sqlite) = migrations("sqlite");
    let (postgres_names, postgres) = migrations("postgres");
    assert!(!sqlite_names.is_empty());
    assert_eq!(sqlite_names, postgres_names);
    let (sqlite_tables, postgres_tables) = (tables(&sqlite), tables(&postgres));
    assert!(sqlite_tables.len() >= 15, "{:?}", sqlite_tables.keys());
    assert_eq!(sqlite_tables.keys().collect::<Vec<_>>(), postgres_tables.keys().collect::<Vec<_>>());
    for (table, lines) in &sqlite_tables {
        assert_eq!(first_words(lines), first_words(&postgres_tables[table]), "columns of {table}");
    }
    assert_eq!(words_after(&sqlite, "CREATE INDEX "), words_after(&postgres, "CREATE INDEX "));
    assert_eq!(words_after(&sqlite, "CREATE UNIQUE INDEX "), words_after(&postgres, "CREATE UNIQUE INDEX "));
    assert_eq!(words_after(&sqlite, "CONSTRAINT "), words_after(&postgres, "CONSTRAINT "));
}

#[test]
fn every_constraint_of_the_schema_has_a_name() {
    for backend in ["sqlite", "postgres"] {
        for (table, lines) in tables(&migrations(backend).1) {
            for line in &lines {
                let kinds = ["CHECK (", "REFERENCES ", "UNIQUE"];
                let constraints: usize = kinds.iter().map(|kind| line.matches(kind).count()).sum();
                let named_keys = line.matches("_key PRIMARY KEY").count();
                let named = line.matches("CONSTRAINT ").count() - named_keys;
                assert_eq!(constraints, named, "{backend}, {table}: {line}");
            }
        }
    }
}
