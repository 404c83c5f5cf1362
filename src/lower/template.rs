//! Templates: rendered when compiled, never on the machine. Strict: a value that is not there is an error at its
//! place in the template. A template that asks for `host.NAME` has a default rendering where all that it asks for
//! has a default; otherwise only a host's package can hold its file.

use super::secret;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Fleet, Host, Model, Release, Role, Value as ModelValue, Values};
use crate::names::SecretName;
use crate::near::nearest;
use crate::source::{Span, Spanned};
use minijinja::value::{Enumerator, Object, ObjectExt as _, ObjectRepr};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Template, UndefinedBehavior, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Names below `host.` that debrole itself gives a value (the tree can't take them): only a host has them, so they
/// have no default.
const HOST_NAMES: &[&str] = &["addresses", "domain", "fqdn", "ipv4", "ipv6", "name", "release", "roles"];
const RELEASE_NAMES: &[&str] = &["codename", "version"];
const ROLE_NAMES: &[&str] = &["name"];

/// What one rendering may use: about this many instructions, and 64 bytes of memory for each. A template that loops
/// without end stops here, in well under a second.
const FUEL: u64 = 1_000_000;
/// Nested macro calls, far below what a worker thread's stack holds.
const RECURSION: usize = 100;

/// The longest tag, in bytes, how much of a template may be in long ones, and the most branches: each operator and each
/// branch may be a call deeper in the parser, and it looks at what is below each operator again.
const LONGEST_TAG: usize = 4 << 10;
const LONG_TAG: usize = 512;
const MOST_IN_LONG_TAGS: usize = 32 << 10;
const MOST_BRANCHES: usize = 4000;
/// Templates up to this size can't exhaust any stack.
const SHALLOW: usize = 1000;
/// For the others. Only what is used of it takes memory.
const DEEP_STACK: usize = 512 << 20;

type Map = BTreeMap<String, Value>;

/// Whether to parse it could take more stack than there can be.
fn too_deep(text: &str) -> bool {
    let tag = |(at, open): (usize, &str)| {
        let rest = &text[at..];
        rest.find(if open == "{{" { "}}" } else { "%}" }).unwrap_or(rest.len())
    };
    let tags = || text.match_indices("{{").chain(text.match_indices("{%")).map(tag);
    text.len() > LONGEST_TAG
        && (tags().any(|length| length > LONGEST_TAG)
            || tags().filter(|length| *length > LONG_TAG).sum::<usize>() > MOST_IN_LONG_TAGS)
        || text.len() > MOST_BRANCHES && text.matches("elif").count() > MOST_BRANCHES
}

/// Statements that have an end of their own.
const BLOCKS: &[&str] = &["autoescape", "block", "call", "filter", "for", "if", "macro", "raw", "set", "with"];

/// The last statement that is never ended, and the place of its tag.
fn unclosed(text: &str) -> Option<(&str, std::ops::Range<usize>)> {
    let mut open: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
    for (at, _) in text.match_indices("{%") {
        let inner = text[at + 2..].trim_start_matches(['-', '+']).trim_start();
        let word = inner.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        // A tag that is not closed itself is the parser's to tell.
        let Some(end) = text[at..].find("%}").map(|length| at + length + 2) else { break };
        if open.last().is_some_and(|(block, _)| *block == "raw") && word != "endraw" {
            continue;
        }
        match word.strip_prefix("end") {
            Some(ended) if open.last().is_some_and(|(block, _)| *block == ended) => drop(open.pop()),
            Some(_) => {}
            // `set x = 1` has no end, `set x` has.
            None if word == "set" && text[at..end].contains('=') => {}
            None if BLOCKS.contains(&word) => open.push((word, at..end)),
            None => {}
        }
    }
    open.pop()
}

/// The parser calls itself for each operator of a chain and each branch.
fn with_deep_stack<T: Send>(text: &str, work: impl FnOnce() -> T + Send) -> T {
    if text.len() <= SHALLOW || !(text.contains("{{") || text.contains("{%")) {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("no thread can be started: {error}"),
        }
    })
}

/// Compiles and renders all templates of one fleet.
pub struct Engine<'m> {
    environment: Environment<'m>,
    model: &'m Model,
    fleet: Arc<Map>,
    fleet_host_values: Arc<Map>,
    /// Every name that some host, role or the fleet gives below `host.`.
    host_names: BTreeSet<&'m str>,
}

/// A template that has been parsed, and where it is written.
pub struct Compiled<'e> {
    template: Template<'e, 'e>,
    span: Span,
    /// Whether it may use secrets.
    secret: bool,
}

/// The values that a role's templates see on one release.
pub struct RoleScope {
    role: Option<Arc<Map>>,
    release: Arc<Map>,
    defaults: Vec<Arc<Map>>,
}

/// The values of a machine, made once for all templates that it renders.
pub struct HostScope<'m> {
    host: &'m Host,
    values: Arc<Map>,
    builtin: Arc<Map>,
}

/// The outcome of rendering.
pub enum Rendered {
    /// The text, and whether a machine's values could have changed it.
    Text { text: String, asks_host: bool },
    /// It needs `host.NAME`, which has no default: a host must render it.
    NeedsHost,
    /// It can't be rendered at all.
    Failed(Box<Diagnostic>),
}

impl<'m> Engine<'m> {
    pub fn new(model: &'m Model) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        // Error ranges are recorded in debug mode only.
        environment.set_debug(true);
        let mut syntax = environment.syntax().to_builder();
        if let Ok(syntax) = syntax.keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        let names = model.roles.values().map(|role| &role.values);
        let names = names.chain(model.hosts.values().map(|host| &host.values)).chain([&model.fleet.host_values]);
        Engine {
            environment,
            model,
            fleet: Arc::new(fleet_values(&model.fleet)),
            fleet_host_values: Arc::new(map(&model.fleet.host_values)),
            host_names: names.flat_map(|values| values.keys().map(String::as_str)).collect(),
        }
    }

    /// Parses a template; a syntax error points at its place.
    /// `secret`: its text is made on machines, so that `secret.NAME` can be used in it.
    pub fn compile<'e>(&'e self, template: &'e Spanned<Arc<str>>, secret: bool) -> Result<Compiled<'e>, Box<Diagnostic>>
    where
        'm: 'e,
    {
        if too_deep(&template.value) {
            let message = "one tag has more than 4 KiB, long ones have more than 32 KiB together, or there are more than 4000 elif";
            return Err(Box::new(
                Diagnostic::new(&rules::template_syntax::RULE, format!("the template can't be read: {message}"))
                    .at(template.span, "")
                    .help("put long lists into [values]"),
            ));
        }
        match with_deep_stack(&template.value, || self.environment.template_from_str(&template.value)) {
            Ok(compiled) => Ok(Compiled { template: compiled, span: template.span, secret }),
            Err(error) => {
                let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                let at = |range| place(template.span, &template.value, range);
                let message = format!("the template can't be read: {what}");
                let diagnostic = Diagnostic::new(&rules::template_syntax::RULE, message).at(at(error.range()), &what);
                Err(Box::new(match unclosed(&template.value) {
                    Some((block, range)) if what.starts_with("unexpected end of input") || what == "unexpected end of raw block" => diagnostic
                        .also(at(Some(range)), "opened here")
                        .help(format!("write the {{% end{block} %}} that is missing")),
                    _ if what.starts_with("unexpected end of input") => {
                        diagnostic.help("close the tag: {{ … }}, {% … %}")
                    }
                    _ if what == "unexpected end of comment" => diagnostic.help("close the comment: {# … #}"),
                    _ if what == "unexpected end of string" => diagnostic.help("close the string"),
                    _ if ["end", "else", "elif"].iter().any(|s| what.starts_with(&format!("unknown statement {s}"))) => {
                        diagnostic.help("nothing that it belongs to is open here: {% if %} ends in {% endif %}, {% for %} in {% endfor %}")
                    }
                    _ => diagnostic.help(
                        "write a literal \"{{\", \"{%\" or \"{#\" as {{ \"{{\" }}, or put the text between {% raw %} and {% endraw %}",
                    ),
                }))
            }
        }
    }

    pub fn role_scope(&self, role: Option<&Role>, release: &Release) -> RoleScope {
        let mut defaults = Vec::new();
        if let Some(role) = role {
            defaults.push(Arc::new(map(&role.values)));
        }
        defaults.push(self.fleet_host_values.clone());
        RoleScope {
            role: role.map(|role| Arc::new(Map::from([("name".to_owned(), Value::from(role.name.as_str()))]))),
            release: Arc::new(Map::from([
                ("codename".to_owned(), Value::from(release.codename.as_str())),
                ("version".to_owned(), Value::from(release.version)),
            ])),
            defaults,
        }
    }

    pub fn host_scope(&self, host: &'m Host) -> HostScope<'m> {
        let fqdn = host.name.as_str();
        let (name, domain) = fqdn.split_once('.').unwrap_or((fqdn, ""));
        let addresses: Vec<String> = host.addresses.iter().map(|a| a.value.to_string()).collect();
        let first = |v4: bool| host.addresses.iter().find(|a| a.value.is_ipv4() == v4).map(|a| a.value.to_string());
        let roles = self.model.closure(host.roles.iter().map(|role| &role.value));
        let mut builtin = Map::from([
            ("fqdn".to_owned(), Value::from(fqdn)),
            ("name".to_owned(), Value::from(name)),
            ("domain".to_owned(), Value::from(domain)),
            ("addresses".to_owned(), Value::from(addresses)),
            ("release".to_owned(), Value::from(host.release.as_str())),
            ("roles".to_owned(), roles.iter().map(|role| Value::from(role.as_str())).collect()),
        ]);
        for (key, address) in [("ipv4", first(true)), ("ipv6", first(false))] {
            if let Some(address) = address {
                builtin.insert(key.to_owned(), Value::from(address));
            }
        }
        HostScope { host, values: Arc::new(map(&host.values)), builtin: Arc::new(builtin) }
    }

    /// Renders for every machine (`host` is None: with the defaults of `host.NAME` alone) or for one.
    pub fn render(&self, compiled: &Compiled<'_>, scope: &RoleScope, host: Option<&HostScope<'_>>) -> Rendered {
        let mut layers = Vec::new();
        if let Some(host) = host {
            layers.push(host.builtin.clone());
            layers.push(host.values.clone());
        }
        layers.extend(scope.defaults.iter().cloned());
        let seen = Arc::new(Seen::default());
        let space = |name, layers| Value::from_object(Space { name, layers, seen: seen.clone() });
        let mut top = Map::from([
            ("fleet".to_owned(), space("fleet", vec![self.fleet.clone()])),
            ("release".to_owned(), space("release", vec![scope.release.clone()])),
            ("host".to_owned(), space("host", layers)),
        ]);
        if let Some(role) = &scope.role {
            top.insert("role".to_owned(), space("role", vec![role.clone()]));
        }
        if compiled.secret {
            top.insert("secret".to_owned(), Value::from_object(SecretSpace));
        }
        match compiled.template.render(space("", vec![Arc::new(top)])) {
            Ok(text) if compiled.secret && secret::cut(&text).is_none() => {
                let source = compiled.template.source();
                let at = source.find("secret.").map(|at| at..at + "secret.".len());
                Rendered::Failed(Box::new(
                    Diagnostic::new(
                        &rules::secret_altered::RULE,
                        "the template does something with a secret, or holds a NUL byte: secrets are set in on the machine",
                    )
                    .at(place(compiled.span, source, at), "")
                    .help("write {{ secret.NAME }} without a filter; set another secret that is already as it is needed"),
                ))
            }
            Ok(text) => Rendered::Text { text, asks_host: seen.host.load(Ordering::Relaxed) },
            Err(error) => self.failure(compiled, &error, &seen, host.map(|scope| scope.host)),
        }
    }

    fn failure(&self, compiled: &Compiled<'_>, error: &Error, seen: &Seen, host: Option<&Host>) -> Rendered {
        let text = compiled.template.source();
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let at = |range| place(compiled.span, text, range);
        let Some((space, name)) = seen.culprit(error.kind(), &what) else {
            let diagnostic = match error.kind() {
                ErrorKind::OutOfFuel => Diagnostic::new(
                    &rules::template_failed::RULE,
                    "the template does too much: it loops without end, or makes more text than a file should have",
                )
                .at(at(error.range()), "stopped here")
                .help("let it loop over fewer values, or ship the text as a plain file"),
                ErrorKind::TemplateNotFound => Diagnostic::new(
                    &rules::template_failed::RULE,
                    "a template stands alone: it can't include, import or extend another",
                )
                .at(at(error.range()), "")
                .help("put the text into this template"),
                _ => Diagnostic::new(&rules::template_failed::RULE, format!("the template fails: {what}"))
                    .at(at(error.range()), what.clone())
                    .help(match error.kind() {
                        ErrorKind::UnknownFilter => "use a filter that minijinja has, such as default, join or upper",
                        ErrorKind::UnknownFunction => "use a function that minijinja has, such as range",
                        ErrorKind::UnknownTest => "use a test that minijinja has, such as defined",
                        _ => "mend the expression, or give the value that it uses another type",
                    }),
            };
            return Rendered::Failed(Box::new(for_host(diagnostic, host)));
        };
        let full = if space.is_empty() { name.clone() } else { format!("{space}.{name}") };
        let place = at(narrow(text, error.range(), &full));
        if space.is_empty() && name == "secret" {
            let diagnostic = Diagnostic::new(
                &rules::secret_in_plain_text::RULE,
                "a secret can't be used here: this text is in the package, which everybody can read",
            )
            .at(place, "")
            .help("add secret = true to the [[file]]; for a unit, write a [[secret]] and read its file");
            return Rendered::Failed(Box::new(for_host(diagnostic, host)));
        }
        if space == "host" {
            let known = HOST_NAMES.contains(&name.as_str()) || self.host_names.contains(name.as_str());
            if known && host.is_none() {
                return Rendered::NeedsHost;
            }
            if let Some(host) = host.filter(|_| known) {
                let help = match name.as_str() {
                    "ipv4" | "ipv6" => {
                        let family = if name == "ipv4" { "IPv4" } else { "IPv6" };
                        format!("add an {family} address to addresses in hosts/{}.toml", host.name.value)
                    }
                    _ => format!(
                        "set {name} under [values] in hosts/{}.toml, or give it a default under [values] of the role",
                        host.name.value
                    ),
                };
                return Rendered::Failed(Box::new(
                    Diagnostic::new(
                        &rules::host_value_missing::RULE,
                        format!("{} has no value for {full}", host.name.value),
                    )
                    .at(place, "needed here")
                    .also(host.name.span, "not set for this host")
                    .help(help),
                ));
            }
        }
        let candidates: Vec<&str> = match space {
            "fleet" => self.fleet.keys().map(String::as_str).collect(),
            "host" => HOST_NAMES.iter().copied().chain(self.host_names.iter().copied()).collect(),
            "role" => ROLE_NAMES.to_vec(),
            "release" => RELEASE_NAMES.to_vec(),
            _ => vec!["fleet", "host", "release", "role"],
        };
        let near = nearest(&name, candidates.iter().copied());
        let mut diagnostic =
            Diagnostic::new(&rules::unknown_template_value::RULE, format!("there is no value named {full}"))
                .at(place, "unknown");
        if let Some(near) = near {
            let near = if space.is_empty() { near.to_owned() } else { format!("{space}.{near}") };
            diagnostic = diagnostic.help(format!("did you mean {near}?"));
        }
        diagnostic = match space {
            "fleet" => diagnostic.help(format!("set {name} under [values] in debrole.toml")),
            "host" => diagnostic.help(format!(
                "give {name} a default under [values] in the role's file or [host_values] in debrole.toml, or set it under [values] in a host's file"
            )),
            "" => diagnostic.help(format!("known are {}", candidates.join(", "))),
            _ => {
                let known: Vec<_> = candidates.iter().map(|name| format!("{space}.{name}")).collect();
                diagnostic.help(format!("known are {}", known.join(", ")))
            }
        };
        Rendered::Failed(Box::new(diagnostic))
    }
}

fn for_host(diagnostic: Diagnostic, host: Option<&Host>) -> Diagnostic {
    match host {
        Some(host) => diagnostic.also(host.name.span, "rendered for this host"),
        None => diagnostic,
    }
}

/// The range of a template as a span of the tree. A template inside a TOML string that is written with escapes has
/// another length there than its value: then only the whole string can be marked.
fn place(span: Span, text: &str, range: Option<std::ops::Range<usize>>) -> Span {
    match range {
        Some(range) if (span.end - span.start) as usize == text.len() => {
            // The end of the text is marked one past it.
            span.within(range.start.min(text.len())..range.end.min(text.len()))
        }
        _ => span,
    }
}

/// minijinja's range is that of the failing operation; this finds the name itself: in the range, or the last one
/// before the range's end.
fn narrow(text: &str, range: Option<std::ops::Range<usize>>, name: &str) -> Option<std::ops::Range<usize>> {
    let range = range?;
    let found = |from: usize, to: usize, last: bool| {
        let part = text.get(from..to)?;
        let start = from + if last { part.rfind(name)? } else { part.find(name)? };
        Some(start..start + name.len())
    };
    found(range.start, range.end, false).or_else(|| found(0, range.end, true)).or(Some(range))
}

/// What a rendering asked for.
#[derive(Debug, Default)]
struct Seen {
    host: AtomicBool,
    missing: Mutex<Missing>,
}

/// The last names that were not there.
#[derive(Debug, Default)]
struct Missing {
    /// At the top, where minijinja looks for its functions too.
    top: Option<String>,
    /// In a space: its name, and the name that was looked for.
    inner: Option<(&'static str, String)>,
}

impl Seen {
    /// The name whose absence made the rendering fail, if that is what it failed for. A template may ask for names
    /// that are not there and go on (`is defined`), so minijinja's message must be about it.
    fn culprit(&self, kind: ErrorKind, message: &str) -> Option<(&'static str, String)> {
        if kind != ErrorKind::UndefinedError && !message.contains("is undefined") {
            return None;
        }
        let missing = self.missing.lock().ok()?;
        if let Some(top) = missing.top.as_ref().filter(|top| message.contains(&format!("`{top}` is undefined"))) {
            return Some(("", top.clone()));
        }
        missing.inner.clone().filter(|(_, name)| !message.contains('`') || message.contains(name.as_str()))
    }
}

/// A group of values (`fleet`, `host`, …; empty for the top) that remembers what it was asked for. The first layer
/// that has a name wins.
#[derive(Debug)]
struct Space {
    name: &'static str,
    layers: Vec<Arc<Map>>,
    seen: Arc<Seen>,
}

impl Object for Space {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if self.name == "host" {
            self.seen.host.store(true, Ordering::Relaxed);
        }
        let found = self.layers.iter().find_map(|layer| layer.get(key).cloned());
        // Every loop looks whether there is a `loop` around it, also the one whose values are what is missing.
        if found.is_none()
            && !(self.name.is_empty() && key == "loop")
            && let Ok(mut missing) = self.seen.missing.lock()
        {
            match self.name {
                "" => missing.top = Some(key.to_owned()),
                name => missing.inner = Some((name, key.to_owned())),
            }
        }
        found
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.name == "host" {
            self.seen.host.store(true, Ordering::Relaxed);
        }
        self.mapped_enumerator(|this| {
            let keys: BTreeSet<&String> = this.layers.iter().flat_map(|layer| layer.keys()).collect();
            Box::new(keys.into_iter().map(|key| Value::from(key.as_str())))
        })
    }
}

/// `secret` in the templates of texts that are made on machines: any name, of which the text keeps the mark.
#[derive(Debug)]
struct SecretSpace;

impl Object for SecretSpace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from_object(Secret(SecretName::parse(key.as_str()?).ok()?)))
    }
}

/// No string, so that it is neither measured nor compared nor cut.
#[derive(Debug)]
struct Secret(SecretName);

impl Object for Secret {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secret::mark(&self.0))
    }
}

fn fleet_values(fleet: &Fleet) -> Map {
    let mut values = map(&fleet.values);
    values.insert("prefix".into(), Value::from(fleet.prefix.as_str()));
    values.insert("origin".into(), Value::from(fleet.origin.as_str()));
    values.insert("label".into(), Value::from(fleet.label.as_str()));
    values.insert("maintainer".into(), Value::from(fleet.maintainer.as_str()));
    values.insert("uri".into(), Value::from(fleet.uri.as_str()));
    values.insert("architectures".into(), fleet.architectures.iter().map(|a| Value::from(a.as_str())).collect());
    if let Some(key) = &fleet.key {
        values.insert("key".into(), Value::from(key.as_str()));
    }
    if let Some(homepage) = &fleet.homepage {
        values.insert("homepage".into(), Value::from(homepage.as_str()));
    }
    values
}

fn map(values: &Values) -> Map {
    values.iter().map(|(name, value)| (name.clone(), convert(&value.value))).collect()
}

fn convert(value: &ModelValue) -> Value {
    match value {
        ModelValue::String(text) => Value::from(text.as_str()),
        ModelValue::Integer(number) => Value::from(*number),
        ModelValue::Float(number) => Value::from(*number),
        ModelValue::Boolean(truth) => Value::from(*truth),
        ModelValue::Array(items) => items.iter().map(convert).collect(),
        ModelValue::Table(entries) => {
            Value::from(entries.iter().map(|(name, value)| (name.clone(), convert(value))).collect::<Map>())
        }
    }
}
