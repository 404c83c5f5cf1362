//! systemd units: names, unit files, drop-ins.

use super::content::{Site, text_or_source};
use super::text::lines;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{FileText, Service, ServiceState, Unit};
use crate::names::{UNIT_TYPES, UnitName};
use crate::schema::{Text, Texts, ast};
use crate::source::Spanned;

pub fn name(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<UnitName>> {
    match UnitName::parse(&text.value) {
        Ok(name) => Some(Spanned::new(name, text.span)),
        Err(error) => {
            let help = match text.value.rsplit_once('.') {
                None => format!("write \"{}.service\"", text.value.escape_debug()),
                Some((stem, kind)) => match crate::near::nearest(kind, UNIT_TYPES.iter().copied()) {
                    Some(near) if near != kind => format!("did you mean \"{stem}.{near}\"?"),
                    _ => "write the name as `systemctl list-units` shows it".to_owned(),
                },
            };
            out.push(
                Diagnostic::new(
                    &rules::invalid_unit_name::RULE,
                    format!("\"{}\" is not the name of a unit: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help(help),
            );
            None
        }
    }
}

pub fn names(list: Option<&Texts>, out: &mut Vec<Diagnostic>) -> Vec<Spanned<UnitName>> {
    let Some(list) = list else { return Vec::new() };
    super::text::duplicates(list, "the unit", out);
    let mut units: Vec<Spanned<UnitName>> = Vec::new();
    for item in &list.value {
        if let Some(unit) = name(item, out)
            && !units.contains(&unit)
        {
            units.push(unit);
        }
    }
    units
}

pub fn service(ast: &ast::Service, out: &mut Vec<Diagnostic>) -> Option<Service> {
    let unit = ast.unit.as_ref().and_then(|text| name(text, out));
    let masked = ast.mask.as_ref().filter(|flag| flag.value);
    if let (Some(mask), Some(enable)) = (masked, &ast.enable) {
        out.push(
            Diagnostic::new(&rules::contradicting_service::RULE, "a masked unit can neither be enabled nor disabled")
                .at(enable.span, "this")
                .also(mask.span, "and this exclude each other")
                .help("keep one of them: masked means that nothing can start it"),
        );
    }
    let drop_in = ast.drop_in.as_ref().and_then(|text| drop_in(text, out));
    let state = match (masked, &ast.enable) {
        (Some(_), _) => ServiceState::Masked,
        (None, Some(enable)) if enable.value => ServiceState::Enabled,
        (None, Some(_)) => ServiceState::Disabled,
        (None, None) => ServiceState::Unchanged,
    };
    if state == ServiceState::Unchanged && ast.drop_in.is_none() {
        out.push(
            Diagnostic::new(&rules::service_without_effect::RULE, "this [[service]] changes nothing")
                .at(ast.span, "neither enable, mask nor drop_in")
                .help("add enable = true, enable = false, mask = true or drop_in = \"…\""),
        );
    }
    Some(Service { unit: unit?, state, drop_in })
}

/// The sections of a unit file: each `[Name]` and where it is.
fn sections(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']')))
        .filter(|name| !name.is_empty())
        .collect()
}

/// The first line that is a setting outside of any section, by byte range.
fn setting_before_section(text: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if content.starts_with('[') {
            return None;
        }
        if !content.is_empty() && !content.starts_with(['#', ';']) {
            return Some(at..at + line.trim_end().len());
        }
        at += line.len();
    }
    None
}

fn drop_in(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<String>> {
    if !lines(text, "a drop-in", out) {
        return None;
    }
    let before = setting_before_section(&text.value);
    if before.is_some() || sections(&text.value).is_empty() {
        let range = before.unwrap_or(0..text.value.len());
        out.push(
            Diagnostic::new(&rules::drop_in_without_section::RULE, "systemd ignores settings that stand in no section")
                .at(text.part(range), "in no section")
                .help("begin with the section that it belongs to, such as [Service] (systemd.syntax(7))"),
        );
        return None;
    }
    Some(text.clone())
}

/// The section that a unit of this type is about; None: it needs none of its own.
fn own_section(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "service" => "Service",
        "timer" => "Timer",
        "socket" => "Socket",
        "mount" => "Mount",
        "automount" => "Automount",
        "swap" => "Swap",
        "path" => "Path",
        _ => return None,
    })
}

pub fn unit(ast: &ast::Unit, site: &mut Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Unit> {
    let name = ast.name.as_ref().and_then(|text| name(text, out));
    let kind = name.as_ref().map(|name| name.as_str().rsplit_once('.').map_or("", |(_, kind)| kind).to_owned());
    if let (Some(name), Some("device" | "scope")) = (&name, kind.as_deref()) {
        out.push(
            Diagnostic::new(
                &rules::invalid_unit_name::RULE,
                format!("{} can't be a file: systemd makes units of this type itself", name.value),
            )
            .at(name.span, "")
            .help("write a .service, .timer, .socket, .mount, .automount, .swap, .path, .slice or .target"),
        );
        return None;
    }
    let template = ast.template.as_ref().is_some_and(|flag| flag.value);
    let enable = ast.enable.as_ref().is_some_and(|flag| flag.value);
    let body = text_or_source(ast.content.as_ref(), ast.source.as_ref(), "[[unit]]", ast.span, site, out)?;
    let Some(text) = body.text else {
        out.push(
            Diagnostic::new(&rules::template_not_text::RULE, "a unit file is text: this is not UTF-8")
                .at(body.place, "")
                .help("convert the file to UTF-8"),
        );
        return None;
    };
    let as_text = Spanned::new(text.value.to_string(), text.span);
    if !lines(&as_text, "a unit file", out) {
        return None;
    }
    let mut complete = true;
    // What a template makes of its sections is seen only when it is rendered.
    if !template {
        let found = sections(&as_text.value);
        if let Some(wanted) = kind.as_deref().and_then(own_section)
            && !found.contains(&wanted)
        {
            let near = crate::near::nearest(wanted, found.iter().copied().filter(|s| *s != "Unit" && *s != "Install"));
            out.push(
                Diagnostic::new(
                    &rules::unit_without_section::RULE,
                    format!("a .{} unit needs a [{wanted}] section", kind.as_deref().unwrap_or_default()),
                )
                .at(body.place, "")
                .help(match near {
                    Some(near) => format!("[{near}] is not a section of it: write [{wanted}]"),
                    None => format!("add [{wanted}] (systemd.{}(5))", kind.as_deref().unwrap_or_default()),
                }),
            );
            complete = false;
        } else if found.is_empty() {
            out.push(
                Diagnostic::new(&rules::unit_without_section::RULE, "a unit file needs a section")
                    .at(body.place, "")
                    .help("add [Unit] (systemd.unit(5))"),
            );
            complete = false;
        }
        if enable && !found.contains(&"Install") {
            out.push(
                Diagnostic::new(&rules::unit_without_install::RULE, "a unit without [Install] can't be enabled")
                    .at(ast.enable.as_ref().map_or(ast.span, |flag| flag.span), "")
                    .also(body.place, "there is no [Install] in it")
                    .help("add [Install] with WantedBy=, such as WantedBy=multi-user.target, or remove enable"),
            );
            complete = false;
        }
    }
    let text = match template {
        true => FileText::Template(text),
        false => FileText::Plain(text.value.as_bytes().into()),
    };
    Some(Unit { name: name.filter(|_| complete)?, text, enable })
}
