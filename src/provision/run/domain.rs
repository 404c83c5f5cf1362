//! A machine as libvirt describes it: its XML (libvirt's formatdomain), written and, as much as is needed, read.

use super::{CONSOLE_LIMIT, TRANSLATED};
use crate::provision::{Accelerator, Firmware, Machine};

/// The name space of our mark in a domain's metadata.
const SPACE: &str = "urn:debrole:machine";

/// What we write into a domain beside what libvirt needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Whose it is.
    pub fleet: String,
    /// The machine's name, also while the domain is called otherwise.
    pub host: String,
    pub accelerator: Accelerator,
    pub autostart: bool,
}

/// What a domain is started from.
pub(super) enum Boot {
    /// Its disks, by this firmware; the path of the firmware's variables.
    Bios,
    Uefi {
        variables: String,
    },
    /// A kernel and an initramfs: for proofs alone.
    Kernel {
        kernel: String,
        initramfs: String,
    },
}

pub(super) struct Domain<'a> {
    pub name: &'a str,
    pub uuid: &'a str,
    pub mark: &'a Mark,
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    pub boot: Boot,
    /// Paths of raw images.
    pub disks: &'a [String],
    /// Bridge and MAC address of each interface.
    pub networks: Vec<(&'a str, &'a str)>,
    /// Where libvirt keeps what the console writes.
    pub log: Option<String>,
}

impl<'a> Domain<'a> {
    pub fn of(machine: &'a Machine, uuid: &'a str, mark: &'a Mark, disks: &'a [String], log: String) -> Domain<'a> {
        let boot = match machine.firmware {
            Firmware::Bios => Boot::Bios,
            Firmware::Uefi => {
                Boot::Uefi { variables: format!("/var/lib/libvirt/qemu/nvram/{}-{}_VARS.fd", machine.name, &uuid[..8]) }
            }
        };
        let networks = machine.networks.iter().map(|n| (n.bridge.as_str(), n.mac.as_str())).collect();
        let Machine { name, cpus, memory, .. } = machine;
        Domain { name, uuid, mark, cpus: *cpus, memory: *memory, boot, disks, networks, log: Some(log) }
    }

    pub fn xml(&self) -> String {
        let (kind, cpu) = match self.mark.accelerator {
            Accelerator::Kvm => ("kvm", "<cpu mode='host-passthrough'/>".to_owned()),
            Accelerator::Tcg | Accelerator::Nspawn => {
                let feature = |policy: &str, name: &str| format!("<feature policy='{policy}' name='{name}'/>");
                let has = TRANSLATED.has.iter().map(|name| feature("require", name));
                let lacks = TRANSLATED.lacks.iter().map(|name| feature("disable", name));
                let model = format!("<model fallback='forbid'>{}</model>", TRANSLATED.model);
                (
                    "qemu",
                    format!("<cpu mode='custom' match='exact'>{model}{}</cpu>", has.chain(lacks).collect::<String>()),
                )
            }
        };
        let mark = format!(
            "<debrole:machine xmlns:debrole='{SPACE}' fleet='{}' host='{}' accelerator='{}' autostart='{}'/>",
            escaped(&self.mark.fleet),
            escaped(&self.mark.host),
            self.mark.accelerator.word(),
            if self.mark.autostart { "yes" } else { "no" },
        );
        let machine = "<type arch='x86_64' machine='q35'>hvm</type>";
        let os = match &self.boot {
            Boot::Bios => format!("<os>{machine}<boot dev='hd'/></os>"),
            Boot::Uefi { variables } => format!(
                "<os firmware='efi'>{machine}<firmware><feature enabled='no' name='secure-boot'/></firmware>\
                 <nvram>{}</nvram><boot dev='hd'/></os>",
                escaped(variables)
            ),
            Boot::Kernel { kernel, initramfs } => format!(
                "<os>{machine}<kernel>{}</kernel><initrd>{}</initrd><cmdline>console=ttyS0 quiet panic=-1</cmdline></os>",
                escaped(kernel),
                escaped(initramfs)
            ),
        };
        let mut devices = String::new();
        for (disk, letter) in self.disks.iter().zip('a'..='z') {
            devices.push_str(&format!(
                "<disk type='file' device='disk'><driver name='qemu' type='raw' discard='unmap'/><source file='{}'/>\
                 <target dev='vd{letter}' bus='virtio'/></disk>\n",
                escaped(disk)
            ));
        }
        for (bridge, mac) in &self.networks {
            let source = match *bridge {
                "" => "<interface type='user'>".to_owned(),
                bridge => format!("<interface type='bridge'><source bridge='{}'/>", escaped(bridge)),
            };
            devices.push_str(&format!("{source}<mac address='{}'/><model type='virtio'/></interface>\n", escaped(mac)));
        }
        // virtlogd turns it: its own limits, of /etc/libvirt/virtlogd.conf, are below ours.
        let log =
            self.log.as_ref().map(|log| format!("<log file='{}' append='on'/>", escaped(log))).unwrap_or_default();
        // A screen that nobody sees: Debian's GRUB does not start without.
        devices.push_str(&format!(
            "<serial type='pty'>{log}<target port='0'/></serial>\n<console type='pty'><target type='serial' port='0'/></console>\n\
             <video><model type='vga'/></video>\n<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\n\
             <memballoon model='virtio'/>\n"
        ));
        format!(
            "<domain type='{kind}'>\n<name>{}</name>\n<uuid>{}</uuid>\n<metadata>{mark}</metadata>\n\
             <memory unit='MiB'>{}</memory>\n<vcpu>{}</vcpu>\n{os}\n<features><acpi/><apic/></features>\n{cpu}\n\
             <clock offset='utc'/>\n<on_poweroff>destroy</on_poweroff>\n<on_reboot>restart</on_reboot>\n\
             <on_crash>destroy</on_crash>\n<devices>\n{devices}</devices>\n</domain>\n",
            escaped(self.name),
            self.uuid,
            self.memory,
            self.cpus,
        )
    }
}

/// virtlogd keeps 4 files of 2 MiB each as it comes, which is within what is promised.
const _: () = assert!(4 * (2 << 20) <= CONSOLE_LIMIT);

/// The mark of a domain, if it is a machine of debrole's.
pub(super) fn mark(xml: &str) -> Option<Mark> {
    let start = xml.find("<debrole:machine ")?;
    let tag = &xml[start..start + xml[start..].find('>')?];
    if attribute(tag, "xmlns:debrole")? != SPACE {
        return None;
    }
    let accelerator = match attribute(tag, "accelerator")?.as_str() {
        "kvm" => Accelerator::Kvm,
        _ => Accelerator::Tcg,
    };
    let autostart = attribute(tag, "autostart")? == "yes";
    Some(Mark { fleet: attribute(tag, "fleet")?, host: attribute(tag, "host")?, accelerator, autostart })
}

/// All values of an attribute in elements of this name.
pub(super) fn values(xml: &str, element: &str, name: &str) -> Vec<String> {
    let open = format!("<{element} ");
    let tags = xml.split(&open).skip(1);
    tags.filter_map(|rest| attribute(&format!(" {}", &rest[..rest.find('>')?]), name)).collect()
}

/// The text of the first element of this name.
pub(super) fn text(xml: &str, element: &str) -> Option<String> {
    let start = xml.find(&format!("<{element}>")).map(|at| at + element.len() + 2).or_else(|| {
        let tag = xml.find(&format!("<{element} "))?;
        Some(tag + xml[tag..].find('>')? + 1)
    })?;
    let end = xml[start..].find(&format!("</{element}>"))?;
    Some(unescaped(&xml[start..start + end]))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    // Both quotes: libvirt writes one, libxml2 below it the other.
    ['\'', '"'].into_iter().find_map(|quote| {
        let start = tag.find(&format!(" {name}={quote}"))? + name.len() + 3;
        Some(unescaped(&tag[start..start + tag[start..].find(quote)?]))
    })
}

pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_whatever_it_holds() {
        let fleet = "pg <\"Debian's\"> & co".to_owned();
        let mark_ = Mark { fleet, host: "a.example.org".into(), accelerator: Accelerator::Tcg, autostart: true };
        let disks = ["/pool/a-root.img".to_owned()];
        let domain = Domain {
            name: "a.example.org",
            uuid: "11111111-2222-3333-4444-555555555555",
            mark: &mark_,
            cpus: 2,
            memory: 512,
            boot: Boot::Uefi { variables: "/v_VARS.fd".into() },
            disks: &disks,
            networks: vec![("br0", "52:54:00:00:00:01")],
            log: Some("/log".into()),
        };
        let xml = domain.xml();
        assert_eq!(mark(&xml), Some(mark_.clone()));
        assert_eq!(mark(&xml.replace('\'', "\"").replace("&apos;", "'")), Some(mark_));
        assert_eq!(values(&xml, "mac", "address"), ["52:54:00:00:00:01"]);
        assert_eq!(values(&xml, "source", "file"), ["/pool/a-root.img"]);
        assert_eq!(
            (text(&xml, "memory").as_deref(), text(&xml, "nvram").as_deref()),
            (Some("512"), Some("/v_VARS.fd"))
        );
        assert_eq!(mark("<domain><description>&lt;debrole:machine fleet=''&gt;</description></domain>"), None);
        assert_eq!(mark(&xml.replace(SPACE, "urn:other")), None);
    }
}
