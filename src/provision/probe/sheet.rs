//! What works on a hypervisor and why the rest does not: `debrole hypervisor check`, a line a finding.

use super::{Proof, device, newest_kernel, prove_kvm, trial};
use crate::exec::{Command, package_of};
use crate::provision::Accelerator;
use crate::provision::run::{Hypervisor, libvirt::Libvirt};
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Ok,
    /// It keeps no machine from running, or only some.
    Warning,
    Bad,
}

/// One line of the sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `processor`, `/dev/kvm`, `guests by KVM`.
    pub what: String,
    pub state: Condition,
    /// What was found.
    pub detail: String,
    /// What to do, where there is something to do.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(what: &str, detail: impl Into<String>) -> Finding {
        Finding { what: what.to_owned(), state: Condition::Ok, detail: detail.into(), remedy: None }
    }
    fn warning(what: &str, detail: impl Into<String>, remedy: &str) -> Finding {
        let remedy = Some(remedy.to_owned());
        Finding { what: what.to_owned(), state: Condition::Warning, detail: detail.into(), remedy }
    }
    fn bad(what: &str, detail: impl Into<String>, remedy: &str) -> Finding {
        Finding { state: Condition::Bad, ..Finding::warning(what, detail, remedy) }
    }
}

/// What a machine's own shell tells of it, as `key value` lines; the same here and through SSH.
const FACTS: &str = r#"
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
grep -qw vmx /proc/cpuinfo && echo 'flag vmx'
grep -qw svm /proc/cpuinfo && echo 'flag svm'
for m in kvm kvm_intel kvm_amd; do [ ! -d /sys/module/$m ] || echo "module $m"; done
if [ ! -e /dev/kvm ]; then echo 'device missing'
elif ( : <>/dev/kvm ) 2>/dev/null; then echo 'device opens'
else echo "device refuses $(ls -l /dev/kvm | awk '{ print $1, $3, $4 }')"; fi
for p in qemu-system-x86_64 virsh systemd-nspawn ip mmdebstrap mke2fs flock perl; do command -v $p >/dev/null && echo "program $p"; done
[ ! -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || echo 'ovmf yes'
ip -o link show type bridge 2>/dev/null | while read -r _ name _; do echo "bridge ${name%:}"; done
[ ! -d /run/systemd/system ] || echo 'systemd yes'
echo "user $(id -u)"
for k in /boot/vmlinuz*; do [ ! -r "$k" ] || { echo 'kernel yes'; break; }; done
echo end
"#;

/// What [`FACTS`] said.
#[derive(Debug, Default)]
struct Facts(Vec<(String, String)>);

impl Facts {
    fn read(text: &str) -> Option<Facts> {
        let lines: Vec<_> = text
            .lines()
            .map(|l| l.split_once(' ').unwrap_or((l, "")))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        lines.iter().any(|(key, _)| key == "end").then_some(Facts(lines))
    }
    fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(k, _)| k == key).map(|(_, value)| value.as_str()).collect()
    }
    fn has(&self, key: &str, value: &str) -> bool {
        self.all(key).contains(&value)
    }
}

/// Looks at this machine, as one that runs machines by itself or by its libvirt. `bridges` are those that the tree's
/// machines want; `kernel` is one to try, if this machine has none of its own.
pub fn this_machine(libvirt: Option<&Libvirt>, bridges: &[String], kernel: Option<&Path>) -> Vec<Finding> {
    let facts = Command::new("sh").args(["-c", FACTS]).run().ok().and_then(|output| Facts::read(&output.stdout_text()));
    let facts = facts.unwrap_or_default();
    let mut sheet = hardware(&facts);
    if facts.has("program", "qemu-system-x86_64") {
        let proof = match device(Path::new("/dev/kvm")) {
            Ok(()) => prove_kvm("qemu-system-x86_64", kernel),
            Err(why) => Proof::Missing { why },
        };
        sheet.push(kvm(&proof));
        let kernel = kernel.map(Path::to_owned).or_else(|| newest_kernel(Path::new("/boot")));
        sheet.push(tcg(&trial("qemu-system-x86_64", Accelerator::Tcg, kernel).proof()));
    }
    sheet.extend(software(&facts, libvirt.is_some()));
    sheet.extend(plugs(&facts, bridges));
    if let Some(libvirt) = libvirt {
        sheet.extend(connection(libvirt));
    }
    sheet
}

/// Looks at the machine that a libvirt elsewhere runs on: through SSH as far as a shell may be had there, and by what
/// libvirt itself says and runs.
pub fn other_machine(libvirt: &Libvirt, bridges: &[String], kernel: Option<&Path>) -> Vec<Finding> {
    let asked = libvirt.shell(FACTS).limit(Duration::from_secs(60)).run();
    let facts = asked.as_ref().ok().and_then(|output| Facts::read(&output.stdout_text()));
    let mut sheet = Vec::new();
    match &facts {
        Some(facts) => sheet.extend(hardware(facts)),
        None => {
            let why = match asked {
                Ok(output) => output.stderr_text().lines().last().unwrap_or("no answer").to_owned(),
                Err(error) => error.to_string(),
            };
            sheet.push(Finding::warning(
                "shell",
                format!("none there: {why}"),
                "let this user run sh there by SSH, to see more than libvirt tells",
            ));
        }
    }
    let answers = connection(libvirt);
    let usable = answers.iter().all(|finding| finding.state != Condition::Bad);
    sheet.extend(answers);
    if usable {
        sheet.push(kvm(&libvirt.prove_kvm(kernel)));
    }
    if let Some(facts) = &facts {
        sheet.extend(software(facts, true));
        sheet.extend(plugs(facts, bridges));
    }
    sheet
}

fn hardware(facts: &Facts) -> Vec<Finding> {
    let mut sheet = Vec::new();
    match facts.all("flag")[..] {
        [] => sheet.push(Finding::warning(
            "processor",
            "neither vmx nor svm is among its flags: no virtualization of its own",
            "turn it on in the firmware's setup (VT-x, AMD-V, SVM), or for a virtual machine in its hypervisor (nested); else use accel = [\"tcg\"] or [\"nspawn\"]",
        )),
        [flag, ..] => sheet.push(Finding::ok("processor", format!("has {flag}"))),
    }
    let modules = facts.all("module");
    match modules.contains(&"kvm") {
        true => sheet.push(Finding::ok("kernel modules", modules.join(", "))),
        false => sheet.push(Finding::warning(
            "kernel modules",
            "kvm is not loaded",
            "modprobe kvm_intel, or kvm_amd; dmesg says why it does not load",
        )),
    }
    let device = facts.all("device").first().copied().unwrap_or("missing").to_owned();
    sheet.push(match device.split_once(' ').map_or(device.as_str(), |(word, _)| word) {
        "opens" => Finding::ok("/dev/kvm", "opens, which proves nothing yet"),
        "refuses" => Finding::warning(
            "/dev/kvm",
            format!("does not open for this user ({})", device.trim_start_matches("refuses ")),
            "add the user to the group kvm: adduser USER kvm, and log in anew",
        ),
        _ => Finding::warning("/dev/kvm", "is not there", "load the kernel's module: modprobe kvm_intel, or kvm_amd"),
    });
    sheet
}

fn kvm(proof: &Proof) -> Finding {
    let what = "guests by KVM";
    let instead = "use accel = [\"tcg\"] or [\"nspawn\"] for machines here";
    match proof {
        Proof::Works => Finding::ok(what, "a boot sector and a kernel ran"),
        Proof::Half => Finding::warning(
            what,
            proof.to_string(),
            "put a kernel there to try: apt-get install linux-image-cloud-amd64; provisioning tries the machine's own",
        ),
        Proof::Missing { .. } => Finding::warning(what, proof.to_string(), instead),
        Proof::Broken { .. } | Proof::Hangs { .. } => {
            Finding::bad(what, proof.to_string(), &format!("{instead}; nothing that needs KVM will run"))
        }
    }
}

fn tcg(proof: &Proof) -> Finding {
    let what = "guests by TCG";
    match proof {
        Proof::Works => Finding::ok(what, "a boot sector and a kernel ran; some ten times slower than KVM"),
        Proof::Half => {
            Finding::ok(what, "a boot sector ran, there was no kernel to try; some ten times slower than KVM")
        }
        other => Finding::bad(
            what,
            other.to_string(),
            "install QEMU anew: apt-get install --reinstall qemu-system-x86 seabios",
        ),
    }
}

fn software(facts: &Facts, libvirt: bool) -> Vec<Finding> {
    let mut sheet = Vec::new();
    let mut wanted = vec!["qemu-system-x86_64", "ip"];
    // What we run by ourselves where there is no libvirt.
    if !libvirt {
        wanted.extend(["flock", "perl"]);
    }
    let missing: Vec<&str> = wanted.into_iter().filter(|program| !facts.has("program", program)).collect();
    let packages: Vec<&str> = missing.iter().filter_map(|program| package_of(program)).collect();
    match missing[..] {
        [] => sheet.push(Finding::ok("programs", "all that is needed")),
        _ => sheet.push(Finding::bad(
            "programs",
            format!("missing: {}", missing.join(", ")),
            &format!("apt-get install {}", packages.join(" ")),
        )),
    }
    match (facts.has("program", "systemd-nspawn"), facts.has("user", "0")) {
        (true, true) => sheet.push(Finding::ok("containers", "systemd-nspawn is there")),
        (true, false) => sheet.push(Finding::warning(
            "containers",
            "systemd-nspawn needs root",
            "run debrole as root for accel = [\"nspawn\"]",
        )),
        (false, _) => sheet.push(Finding::warning(
            "containers",
            "systemd-nspawn is not installed",
            "for accel = [\"nspawn\"]: apt-get install systemd-container",
        )),
    }
    match facts.has("ovmf", "yes") {
        true => sheet.push(Finding::ok("UEFI firmware", "there")),
        false => sheet.push(Finding::warning(
            "UEFI firmware",
            "not installed",
            "for firmware = \"uefi\": apt-get install ovmf",
        )),
    }
    if !libvirt && !facts.has("systemd", "yes") {
        sheet.push(Finding::warning(
            "autostart",
            "systemd does not run here",
            "machines with autostart have to be started by hand: debrole vm start HOST",
        ));
    }
    sheet
}

fn plugs(facts: &Facts, wanted: &[String]) -> Vec<Finding> {
    let there = facts.all("bridge");
    let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|bridge| !there.contains(bridge)).collect();
    let list = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    vec![match missing[..] {
        [] => Finding::ok("bridges", list),
        _ => Finding::bad(
            "bridges",
            format!("missing: {}; there: {list}", missing.join(", ")),
            "make them there (the hypervisor's role, systemd.netdev(5), or /etc/network/interfaces), or name others in [vm]",
        ),
    }]
}

fn connection(libvirt: &Libvirt) -> Vec<Finding> {
    let mut sheet = Vec::new();
    match libvirt.ask("connect", &["version", "--daemon"]) {
        Ok(text) => {
            let running = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
            sheet.push(Finding::ok("libvirt", running));
        }
        Err(error) => {
            let remedy = "start it (systemctl start libvirtd), and let this user use it: adduser USER libvirt";
            sheet.push(Finding::bad("libvirt", error.to_string(), remedy));
            return sheet;
        }
    }
    match libvirt.room() {
        Ok(Some(free)) => {
            sheet.push(Finding::ok("storage pool", format!("{} free", crate::provision::run::size(free))))
        }
        Ok(None) => {
            sheet.push(Finding::warning("storage pool", "does not say how much is free", "look at it: virsh pool-info"))
        }
        Err(error) => sheet.push(Finding::bad(
            "storage pool",
            error.to_string(),
            "make it: virsh pool-define-as default dir --target /var/lib/libvirt/images",
        )),
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_its_line() {
        assert!(Facts::read("flag vmx\n").is_none(), "cut off");
        let facts = Facts::read("flag svm\nmodule kvm\nmodule kvm_amd\ndevice refuses crw-rw---- root kvm\nprogram ip\nuser 1000\nbridge br0\nend\n").unwrap();
        let all: Vec<Finding> =
            [hardware(&facts), software(&facts, true), plugs(&facts, &["br0".into(), "br1".into()])].concat();
        let text: Vec<String> = all.iter().map(|f| format!("{:?} {}: {}", f.state, f.what, f.detail)).collect();
        assert_eq!(
            text,
            [
                "Ok processor: has svm",
                "Ok kernel modules: kvm, kvm_amd",
                "Warning /dev/kvm: does not open for this user (crw-rw---- root kvm)",
                "Bad programs: missing: qemu-system-x86_64",
                "Warning containers: systemd-nspawn is not installed",
                "Warning UEFI firmware: not installed",
                "Bad bridges: missing: br1; there: br0",
            ]
        );
        assert!(all.iter().all(|finding| (finding.state == Condition::Ok) == finding.remedy.is_none()));
        let hangs = kvm(&Proof::Hangs { limit: Duration::from_secs(30) });
        assert!(hangs.state == Condition::Bad && hangs.detail.starts_with("hangs: a guest"));
        assert_eq!(kvm(&Proof::Missing { why: "there is no /dev/kvm".into() }).state, Condition::Warning);
    }
}
