//! A Rust file as the rules see it: text, tokens without comments, functions, and which lines are tests.

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One token: an identifier, a literal, a bracket or one character of punctuation.
#[derive(Debug)]
pub struct Token {
    /// As written.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
}

/// One function with a body.
#[derive(Debug)]
pub struct Function {
    /// Name, after its type where it has one.
    pub name: String,
    /// Line of its signature.
    pub line: usize,
    /// Lines from signature to closing brace.
    pub lines: usize,
}

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// From the root of the workspace, with forward slashes.
    pub path: String,
    /// Folder name of its crate.
    pub krate: String,
    /// As written.
    pub text: String,
    /// All tokens, also those inside macros.
    pub tokens: Vec<Token>,
    /// All functions outside macros.
    pub functions: Vec<Function>,
    /// Whether the whole file is a test, an example or a module of tests.
    pub is_test: bool,
    test_lines: Vec<RangeInclusive<usize>>,
    test_modules: Vec<String>,
}

impl Source {
    /// Parses one file. Its place says which crate it belongs to and whether it is a test.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let file = syn::parse_file(text).with_context(|| format!("{path} is not valid Rust"))?;
        let mut facts = Facts { test_lines: Vec::new(), test_modules: Vec::new(), functions: Vec::new(), of: None };
        facts.visit_file(&file);
        let stream: TokenStream = text.parse().map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        let parts: Vec<&str> = path.split('/').collect();
        let krate = if parts[0] == "crates" { parts.get(1).copied().unwrap_or_default() } else { parts[0] };
        let is_test = parts.iter().any(|part| matches!(*part, "tests" | "examples" | "benches" | "tests.rs"));
        let folder = child_folder(path);
        Ok(Self {
            path: path.to_owned(),
            krate: krate.to_owned(),
            text: text.to_owned(),
            tokens,
            functions: facts.functions,
            is_test,
            test_lines: facts.test_lines,
            test_modules: facts.test_modules.into_iter().map(|name| format!("{folder}/{name}")).collect(),
        })
    }

    /// Whether this line is in a test.
    pub fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Lines where these tokens stand side by side; the pattern is written with spaces between tokens.
    pub fn find(&self, pattern: &str) -> Vec<usize> {
        let wanted: Vec<&str> = pattern.split(' ').collect();
        let same = |window: &&[Token]| window.iter().zip(&wanted).all(|(token, wanted)| token.text == *wanted);
        self.tokens.windows(wanted.len()).filter(same).map(|window| window[0].line).collect()
    }

    /// Whether this word stands anywhere among the tokens.
    pub fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.text == word)
    }
}

/// The folder where the modules of this file are.
fn child_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.trim_end_matches(".rs");
    if matches!(stem, "lib" | "main" | "mod") { folder.to_owned() } else { format!("{folder}/{stem}") }
}

fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                out.push(Token { text: open.into(), line });
                flatten(group.stream(), out);
                out.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            tree => out.push(Token { text: tree.to_string(), line }),
        }
    }
}

struct Facts {
    test_lines: Vec<RangeInclusive<usize>>,
    test_modules: Vec<String>,
    functions: Vec<Function>,
    of: Option<String>,
}

impl Facts {
    fn mark(&mut self, attrs: &[syn::Attribute], span: proc_macro2::Span) {
        if attrs.iter().any(is_test_attribute) {
            self.test_lines.push(span.start().line..=span.end().line);
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.span().start().line;
        let name = signature.ident.to_string();
        let name = self.of.as_ref().map_or_else(|| name.clone(), |of| format!("{of}::{name}"));
        self.functions.push(Function { name, line, lines: block.span().end().line - line + 1 });
    }

    fn within(&mut self, of: Option<String>, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.of, of);
        visit(self);
        self.of = before;
    }
}

impl Visit<'_> for Facts {
    fn visit_item(&mut self, item: &syn::Item) {
        let attrs: &[syn::Attribute] = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        self.mark(attrs, item.span());
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        if item.content.is_none() && item.attrs.iter().any(is_test_attribute) {
            self.test_modules.push(item.ident.to_string());
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let of = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        self.within(of, |facts| visit::visit_item_impl(facts, item));
    }

    fn visit_item_trait(&mut self, item: &syn::ItemTrait) {
        self.within(Some(item.ident.to_string()), |facts| visit::visit_item_trait(facts, item));
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.mark(&item.attrs, item.span());
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`; not `#[cfg(not(test))]`.
fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    if path.segments.last().is_some_and(|segment| segment.ident == "test") {
        return true;
    }
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let mut tokens = Vec::new();
    flatten(list.tokens.clone(), &mut tokens);
    path.is_ident("cfg")
        && tokens.iter().any(|token| token.text == "test")
        && !tokens.iter().any(|token| token.text == "not")
}

/// All Rust files of the workspace, with modules of tests marked.
pub fn rust(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["crates", "xtask"] {
        for (path, text) in texts(root, folder, &["rs"])? {
            sources.push(Source::parse(&path, &text)?);
        }
    }
    mark_test_modules(&mut sources);
    Ok(sources)
}

fn mark_test_modules(sources: &mut [Source]) {
    let modules: Vec<String> = sources.iter().flat_map(|source| source.test_modules.clone()).collect();
    for source in sources {
        let rest = |module: &String| source.path.strip_prefix(module.as_str()).map(str::to_owned);
        source.is_test |= modules.iter().filter_map(rest).any(|rest| rest == ".rs" || rest.starts_with('/'));
    }
}

/// Texts below a folder with one of these endings, sorted by path. Build outputs and packages are passed over.
pub fn texts(root: &Path, folder: &str, endings: &[&str]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(root.join(&folder)).with_context(|| folder.clone())?;
        for entry in entries {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if name != "target" && name != "node_modules" && name != "dist" {
                    waiting.push(path);
                }
            } else if endings.iter().any(|ending| path.ends_with(&format!(".{ending}"))) {
                let text = read(root, &path)?;
                found.push((path, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// One text of the workspace.
pub fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("valid Rust")
    }

    #[test]
    fn lines_of_tests_are_told_from_the_rest() {
        let text = "fn product() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it_works() {}\n}\n#[cfg(not(test))]\nfn also() {}\n";
        let source = parse("crates/engine/src/a.rs", text);
        let tests: Vec<usize> = (1..=8).filter(|line| source.is_test_line(*line)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 6]);
        assert!(parse("crates/engine/tests/it/a.rs", "fn helper() {}").is_test_line(1));
    }

    #[test]
    fn a_module_of_tests_in_its_own_file_is_a_test_with_all_below() {
        let mut sources = [
            parse("crates/a/src/lib.rs", "#[cfg(test)]\nmod laws;\nmod other;"),
            parse("crates/a/src/laws/mod.rs", "fn a() {}"),
            parse("crates/a/src/laws/deep.rs", "fn a() {}"),
            parse("crates/a/src/other.rs", "#[cfg(test)] mod proofs;"),
            parse("crates/a/src/other/proofs.rs", "fn a() {}"),
            parse("crates/a/src/lawsuit.rs", "fn a() {}"),
        ];
        mark_test_modules(&mut sources);
        assert_eq!(sources.map(|source| source.is_test), [false, true, true, false, true, false]);
    }

    #[test]
    fn tokens_inside_macros_are_found_and_comments_are_not() {
        let source =
            parse("crates/a/src/lib.rs", "// HashMap\nfn f() {\n    select! { x = HashMap::new() => {} }\n}\n");
        assert_eq!(source.find("HashMap : : new"), [3]);
    }

    #[test]
    fn functions_know_their_type_and_their_length() {
        let source = parse(
            "crates/a/src/lib.rs",
            "impl<T> Machine<T> {\n    /// Doc.\n    pub fn handle(\n        &self,\n    ) {\n    }\n}\n",
        );
        let function = &source.functions[0];
        assert_eq!((function.name.as_str(), function.line, function.lines), ("Machine::handle", 3, 4));
    }
}
