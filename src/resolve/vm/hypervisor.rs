//! `[hypervisor]` of a host.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::vm::{Accelerator, Hypervisor};
use crate::names::HostName;
use crate::resolve::monitoring::choice;
use crate::schema::{Text, Texts, ast};

/// `[hypervisor]` of a host. What is wrong in it is reported, and the default taken.
pub fn hypervisor(name: &HostName, ast: &ast::Hypervisor, out: &mut Vec<Diagnostic>) -> Hypervisor {
    let uri = ast.uri.as_ref().filter(|text| valid_uri(text, out));
    let pool = ast.pool.as_ref().filter(|text| {
        let valid = (1..=64).contains(&text.value.len())
            && text.value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !valid {
            out.push(
                Diagnostic::new(
                    &rules::invalid_storage_pool::RULE,
                    format!("\"{}\" can't be a storage pool", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write its name as `virsh pool-list --all` shows it, such as \"default\""),
            );
        }
        valid
    });
    Hypervisor {
        uri: uri.map_or_else(|| format!("qemu+ssh://root@{name}/system"), |text| text.value.clone()),
        accel: ast.accel.as_ref().and_then(|list| accelerators(list, out)).unwrap_or(Accelerator::DEFAULT.to_vec()),
        pool: pool.map_or("default", |text| &text.value).to_owned(),
    }
}

/// A connection to libvirt's QEMU driver. What could have another program run here, or the other side not looked at, is
/// refused: `command`, `netcat` and `no_verify` among the parameters (https://libvirt.org/uri.html).
fn valid_uri(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    const PARAMETERS: [&str; 6] = ["keyfile", "known_hosts", "mode", "no_tty", "proxy", "socket"];
    let problem = || -> Option<String> {
        let uri = text.value.as_str();
        if let Some(c) = uri.chars().find(|c| !c.is_ascii_alphanumeric() && !"+:/@.-_[]?&=~%".contains(*c)) {
            return Some(format!("it holds {c:?}"));
        }
        let (scheme, rest) = uri.split_once("://")?;
        if !["qemu", "qemu+ssh", "qemu+tls", "qemu+unix", "qemu+libssh", "qemu+libssh2"].contains(&scheme) {
            return Some(format!("\"{scheme}\" is no way to libvirt's QEMU"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !["system", "session"].contains(&path) {
            return Some("it ends in /system or /session".to_owned());
        }
        let machine = host.rsplit('@').next().unwrap_or(host);
        if host.starts_with('-') || machine.starts_with('-') || host.matches('@').count() > 1 {
            return Some("its host is not the name of a machine".to_owned());
        }
        if scheme.ends_with("ssh") && machine.is_empty() {
            return Some("it names no host".to_owned());
        }
        let parameters = query.split('&').filter(|part| !part.is_empty());
        let mut names = parameters.map(|part| part.split('=').next().unwrap_or(part));
        let name = names.find(|name| !PARAMETERS.contains(name))?;
        Some(format!("the parameter \"{name}\" is none of {}", PARAMETERS.join(", ")))
    };
    let problem = match text.value.contains("://") {
        true => problem(),
        false => Some("it has no \"://\"".to_owned()),
    };
    let Some(problem) = problem else { return true };
    out.push(
        Diagnostic::new(
            &rules::invalid_uri::RULE,
            format!("\"{}\" is not a connection of libvirt to use here: {problem}", text.value.escape_debug()),
        )
        .at(text.span, "")
        .help("write it as in virsh(1), such as \"qemu+ssh://root@kvm1.example.org/system\" or \"qemu:///system\""),
    );
    false
}

/// The accelerators, each once. None where one is unknown or there is none.
pub(super) fn accelerators(list: &Texts, out: &mut Vec<Diagnostic>) -> Option<Vec<Accelerator>> {
    crate::resolve::text::duplicates(list, "the accelerator", out);
    let names = Accelerator::ALL.map(Accelerator::as_str);
    let mut found = Vec::new();
    let mut valid = true;
    for text in &list.value {
        let named = choice(Some(text), "", &names, "an accelerator", out);
        match Accelerator::ALL.into_iter().find(|accelerator| Some(accelerator.as_str()) == named) {
            Some(accelerator) if !found.contains(&accelerator) => found.push(accelerator),
            Some(_) => {}
            None => valid = false,
        }
    }
    if list.value.is_empty() {
        valid = false;
        out.push(
            Diagnostic::new(
                &rules::no_accelerator::RULE,
                "without an accelerator there is nothing to run the machine by",
            )
            .at(list.span, "")
            .help("write [\"kvm\"], or remove the key"),
        );
    }
    valid.then_some(found)
}
