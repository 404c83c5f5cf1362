//! Virtual machines in the tree: what is refused, what is taken over, what packages say of them.

use crate::ui::check;
use debrole::diagnostics::Diagnostic;
use debrole::model::Model;
use debrole::names::HostName;
use debrole::resolve::resolve;
use debrole::tree::Tree;
use std::fs;
use std::path::Path;

const DEBROLE: &str = r#"schema = 1
[fleet]
prefix = "pg"
origin = "Example"
label = "Example"
maintainer = "Example Sysadmins <sysadmins@example.org>"
uri = "http://apt.example.org"
architectures = ["amd64"]
[release.bookworm]
"#;

pub const LAN: &str = r#"[network.lan]
bridge = "br0"
prefixes = ["192.0.2.0/24", "2001:db8::/64"]
gateways = ["192.0.2.1", "2001:db8::1"]
dns = ["192.0.2.53"]
pool = ["192.0.2.100-192.0.2.103", "2001:db8::1:0-2001:db8::1:ffff"]
"#;

const HOST: &str = "roles = []\nrelease = \"bookworm\"\n";

/// A tree of debrole.toml with these networks, and of these hosts.
pub fn tree(networks: &str, hosts: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), networks, hosts);
    dir
}

fn write(root: &Path, networks: &str, hosts: &[(&str, &str)]) {
    fs::write(root.join("debrole.toml"), format!("{DEBROLE}{networks}")).unwrap();
    fs::create_dir_all(root.join("hosts")).unwrap();
    fs::create_dir_all(root.join("roles")).unwrap();
    for (name, text) in hosts {
        fs::write(root.join(format!("hosts/{name}.example.org.toml")), format!("{HOST}{text}")).unwrap();
    }
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.rule.code).collect()
}

pub fn model(root: &Path) -> Model {
    let (mut tree, mut diagnostics) = Tree::read(root);
    let (model, more) = resolve(&mut tree);
    diagnostics.extend(more);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    model.unwrap()
}

fn host(name: &str) -> HostName {
    HostName::parse(&format!("{name}.example.org")).unwrap()
}

/// What a person may get wrong in `[vm]`, each with the one code that it is told by.
#[test]
fn what_is_wrong_in_a_virtual_machine_is_told_by_one_error_with_its_place() {
    let ok = "addresses = [\"192.0.2.10\"]\n[vm]\n";
    let network = "addresses = [\"192.0.2.10\"]\n[[vm.network]]\nname = \"lan\"\n";
    let disk = "addresses = [\"192.0.2.10\"]\n[[vm.disk]]\n";
    let cases: &[(&str, &str, &str)] = &[
        (ok, "cpus = 0", "number-out-of-range"),
        (ok, "cpus = 513", "number-out-of-range"),
        (ok, "cpus = -1", "number-out-of-range"),
        (ok, "cpus = \"2\"", "wrong-type"),
        (ok, "memory = 2", "wrong-type"),
        (ok, "memory = \"255M\"", "size-out-of-range"),
        (ok, "memory = \"4097G\"", "size-out-of-range"),
        (ok, "memory = \"99999999999999999999G\"", "invalid-size"),
        (ok, "memory = \"17179869184G\"", "size-out-of-range"),
        (ok, "memory = \"2T\"", "invalid-size"),
        (ok, "memory = \"2GB\"", "invalid-size"),
        (ok, "memory = \"2 G\"", "invalid-size"),
        (ok, "memory = \"-2G\"", "invalid-size"),
        (ok, "memory = \"G\"", "invalid-size"),
        (ok, "memory = \"\"", "invalid-size"),
        (ok, "memory = \"2é\"", "invalid-size"),
        (ok, "memory = \"2G</memory><devices>\"", "invalid-size"),
        (ok, "firmware = \"efi\"", "invalid-choice"),
        (ok, "firmware = \"/usr/share/OVMF/OVMF_CODE.fd\"", "invalid-choice"),
        (ok, "accel = []", "no-accelerator"),
        (ok, "accel = [\"xen\"]", "invalid-choice"),
        (ok, "accel = [\"kvm,tcg\"]", "invalid-choice"),
        (ok, "accel = \"kvm\"", "wrong-type"),
        (ok, "accel = [\"nspawn\"]\nfirmware = \"bios\"", "container-settings"),
        (ok, "accel = [\"nspawn\"]\n[[vm.disk]]\nsize = \"4G\"", "container-settings"),
        (ok, "architecture = \"arm64\"", "invalid-choice"),
        (ok, "autostart = \"yes\"", "wrong-type"),
        (ok, "hypervisor = \"kvm9.example.org\"", "unknown-host"),
        (ok, "hypervisor = \"kvm1\"", "unknown-host"),
        (ok, "hypervisor = \"web1.example.org\"", "hypervisor-cycle"),
        (ok, "hypervisor = \"kvm1.example.org; reboot\"", "unknown-host"),
        (ok, "hypervisor = \"plain.example.org\"", "not-a-hypervisor"),
        (ok, "hypervisors = \"kvm1.example.org\"", "unknown-key"),
        (network, "mac = \"\"", "invalid-mac"),
        (network, "mac = \"52:54:00:12:34\"", "invalid-mac"),
        (network, "mac = \"52:54:00:12:34:5g\"", "invalid-mac"),
        (network, "mac = \"53:54:00:12:34:56\"", "invalid-mac"),
        (network, "mac = \"ff:ff:ff:ff:ff:ff\"", "invalid-mac"),
        (network, "mac = \"52:54:00:12:34:56'/><script/>\"", "invalid-mac"),
        (network, "mac = \"52:54:00:12:34:56\\nName=eth0\"", "invalid-mac"),
        (network, "mac = \"52:54:00:00:00:01\"", "mac-used-twice"),
        (network, "addresses = [\"198.51.100.1\"]", "address-outside-network"),
        (network, "addresses = [\"192.0.2.0\"]", "invalid-address"),
        (network, "addresses = [\"192.0.2.255\"]", "invalid-address"),
        (network, "addresses = [\"192.0.2.10/24\"]", "invalid-address"),
        (network, "addresses = [\"192.0.2.70\"]", "address-used-twice"),
        (network, "addresses = []", "vm-without-address"),
        (network, "[[vm.network]]\nname = \"lan\"", "duplicate-name"),
        (network, "[[vm.network]]\nname = \"wan\"", "unknown-network"),
        (network, "[[vm.network]]\nname = \"../lan\"", "unknown-network"),
        (network, "[[vm.network]]\nmac = \"52:54:00:12:34:56\"", "missing-key"),
        (disk, "size = \"1G\"", "size-out-of-range"),
        (disk, "size = \"65T\"", "size-out-of-range"),
        (disk, "size = \"20g\"", "invalid-size"),
        (disk, "size = \"$(reboot)G\"", "invalid-size"),
        (disk, "file_system = \"ext3\"", "invalid-choice"),
        (disk, "file_system = \"ext4 -F /dev/sda\"", "invalid-choice"),
        (disk, "name = \"Root\"", "invalid-disk-name"),
        (disk, "name = \"a/../../b\"", "invalid-disk-name"),
        (disk, "name = \"-rf\"", "invalid-disk-name"),
        (disk, "name = \"a b\"", "invalid-disk-name"),
        (disk, "name = \"a,format=raw\"", "invalid-disk-name"),
        (disk, "name = \"\"", "invalid-disk-name"),
        (disk, "name = \"aaaaaaaaaaaaaaaaa\"", "invalid-disk-name"),
        (disk, "mount = \"/srv\"", "missing-key"),
        (disk, "name = \"root\"\nmount = \"/srv\"", "duplicate-name"),
        (disk, "name = \"data\"\nmount = \"srv\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/srv/\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/srv/../etc\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/srv/a b\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/srv ext4 defaults 0 0\\n/dev/sda /mnt\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/srv$(id)\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/proc\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/run/x\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/boot\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/boot/efi\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/usr/share\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/etc\"", "invalid-mount"),
        (disk, "name = \"data\"\nmount = \"/lib\"", "invalid-mount"),
        (disk, "[[vm.disk]]\nname = \"other\"", "mount-clash"),
        (disk, "name = \"a\"\nmount = \"/srv\"\n[[vm.disk]]\nname = \"b\"\nmount = \"/srv\"", "mount-clash"),
        (disk, "name = \"a\"\nmount = \"/srv/www\"\n[[vm.disk]]\nname = \"b\"\nmount = \"/srv\"", "mount-clash"),
        (disk, "name = \"a\"\nmount = \"/srv\"\n[[vm.disk]]\nname = \"a\"\nmount = \"/home\"", "duplicate-name"),
    ];
    let dir = tempfile::tempdir().unwrap();
    // One without a pool, so that nothing is open.
    let lan = "[network.lan]\nbridge = \"br0\"\nprefixes = [\"192.0.2.0/24\"]\n";
    let hypervisor = "addresses = [\"192.0.2.70\"]\n[hypervisor]\n";
    let other = "addresses = [\"192.0.2.12\"]\n[[vm.network]]\nname = \"lan\"\nmac = \"52:54:00:00:00:01\"\n";
    for (before, line, code) in cases {
        let text = format!("{before}{line}\n");
        write(dir.path(), lan, &[("kvm1", hypervisor), ("plain", ""), ("other", other), ("web1", &text)]);
        let (accepted, diagnostics, sources) = check(dir.path());
        assert!(!accepted, "{line}");
        assert_eq!(codes(&diagnostics), [*code], "{line}: {diagnostics:#?}");
        let place = diagnostics[0].primary.as_ref().unwrap_or_else(|| panic!("{line} has no place"));
        let path = sources.path(place.span.file).display().to_string();
        assert!(
            ["hosts/web1.example.org.toml", "hosts/other.example.org.toml"].contains(&path.as_str()),
            "{line}: {path}"
        );
        let told = *code == "wrong-type" || !diagnostics[0].help.is_empty();
        assert!(told, "{line} says nothing of what to do");
    }
}

#[test]
fn what_is_wrong_in_a_network_or_a_hypervisor_is_told_by_one_error() {
    let lan = |key: &str, value: &str| {
        let mut lines = vec![("bridge", "\"br0\""), ("prefixes", "[\"192.0.2.0/24\", \"2001:db8::/64\"]")];
        lines.retain(|(known, _)| *known != key);
        lines.push((key, value));
        lines.iter().fold("[network.lan]\n".to_owned(), |text, (key, value)| format!("{text}{key} = {value}\n"))
    };
    let cases = [
        ("bridge", "\"\"", "invalid-bridge"),
        ("bridge", "\"br0; reboot\"", "invalid-bridge"),
        ("bridge", "\"br0'/><x/>\"", "invalid-bridge"),
        ("bridge", "\"-br0\"", "invalid-bridge"),
        ("bridge", "\"../br0\"", "invalid-bridge"),
        ("bridge", "\"br0,script=/tmp/x\"", "invalid-bridge"),
        ("bridge", "\"a234567890123456\"", "invalid-bridge"),
        ("prefixes", "[]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.0\"]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.1/24\"]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.0/33\"]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.0/+24\"]", "invalid-network-prefix"),
        ("prefixes", "[\"0.0.0.0/0\"]", "invalid-network-prefix"),
        ("prefixes", "[\"224.0.0.0/4\"]", "invalid-network-prefix"),
        ("prefixes", "[\"127.0.0.0/8\"]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.0/24\\nDNS=192.0.2.66\"]", "invalid-network-prefix"),
        ("prefixes", "[\"192.0.2.0/24\", \"192.0.2.0/25\"]", "network-overlap"),
        ("gateways", "[\"192.0.3.1\"]", "address-outside-network"),
        ("gateways", "[\"192.0.2.1\", \"192.0.2.2\"]", "several-gateways"),
        ("gateways", "[\"router.example.org\"]", "invalid-address"),
        ("dns", "[\"0.0.0.0\"]", "invalid-address"),
        ("dns", "[\"192.0.2.53\\noptions debug\"]", "invalid-address"),
        ("dns", "[\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\"]", "too-many-name-servers"),
        ("pool", "[\"192.0.2.100\", \"192.0.2.100-192.0.2.101\"]", "invalid-pool"),
        ("pool", "[\"192.0.2.100-192.0.2.99\"]", "invalid-pool"),
        ("pool", "[\"192.0.2.100-2001:db8::1\"]", "invalid-pool"),
        ("pool", "[\"192.0.2.100-199\"]", "invalid-pool"),
        ("pool", "[\"192.0.2.200-192.0.3.10\"]", "address-outside-network"),
        ("pool", "[\"198.51.100.1-198.51.100.9\"]", "address-outside-network"),
        ("pool", "\"192.0.2.100-192.0.2.199\"", "wrong-type"),
    ];
    for (key, value, code) in cases {
        let dir = tree(&lan(key, value), &[]);
        let (accepted, diagnostics, _) = check(dir.path());
        assert!(!accepted && codes(&diagnostics) == [code], "{key} = {value}: {diagnostics:#?}");
    }
    for name in ["LAN", "\"a b\"", "\"../lan\"", "\"lan-\"", "\"-lan\"", "\"\"", "\"lan\\n[x]\"", "\"läden\""] {
        let dir = tree(&LAN.replace("[network.lan]", &format!("[network.{name}]")), &[]);
        let (accepted, diagnostics, _) = check(dir.path());
        assert!(!accepted && codes(&diagnostics) == ["invalid-network-name"], "{name}: {diagnostics:#?}");
    }
    for (line, code) in [
        ("uri = \"qemu+ssh://kvm1.example.org/system?command=/tmp/x\"", "invalid-uri"),
        ("uri = \"qemu+ssh://kvm1.example.org/system?netcat=/tmp/x\"", "invalid-uri"),
        ("uri = \"qemu+ssh://kvm1.example.org/system?no_verify=1\"", "invalid-uri"),
        ("uri = \"qemu+ssh://-oProxyCommand=reboot/system\"", "invalid-uri"),
        ("uri = \"qemu+ssh://root@-oProxyCommand=reboot/system\"", "invalid-uri"),
        ("uri = \"qemu+ext:///system?command=/tmp/x\"", "invalid-uri"),
        ("uri = \"qemu+ssh:///system\"", "invalid-uri"),
        ("uri = \"qemu:///system; reboot\"", "invalid-uri"),
        ("uri = \"xen:///system\"", "invalid-uri"),
        ("uri = \"system\"", "invalid-uri"),
        ("uri = \"qemu:///\"", "invalid-uri"),
        ("pool = \"\"", "invalid-storage-pool"),
        ("pool = \"--help\"", "invalid-storage-pool"),
        ("pool = \"a b\"", "invalid-storage-pool"),
        ("pool = \"../images\"", "invalid-storage-pool"),
        ("accel = []", "no-accelerator"),
        ("accel = [\"hvf\"]", "invalid-choice"),
    ] {
        let dir = tree(LAN, &[("kvm1", &format!("addresses = [\"192.0.2.70\"]\n[hypervisor]\n{line}\n"))]);
        let (accepted, diagnostics, _) = check(dir.path());
        assert!(!accepted && codes(&diagnostics) == [code], "{line}: {diagnostics:#?}");
    }
    for uri in [
        "qemu:///system",
        "qemu:///session",
        "qemu+unix:///system?socket=/run/libvirt/sock",
        "qemu+tls://[2001:db8::70]:16514/system",
    ] {
        let dir = tree(LAN, &[("kvm1", &format!("addresses = [\"192.0.2.70\"]\n[hypervisor]\nuri = \"{uri}\"\n"))]);
        assert_eq!(model(dir.path()).hosts[&host("kvm1")].hypervisor.as_ref().unwrap().uri, uri);
    }
}

/// What is missing of debrole.toml because it is wrong there is no second mistake of every machine.
#[test]
fn a_network_that_is_wrong_is_told_once_and_not_by_its_machines() {
    let wrong = LAN.replace("\"192.0.2.0/24\"", "\"192.0.2.9/24\"").replace("\"2001:db8::/64\"", "\"x\"");
    let vm = |n: u32| format!("addresses = [\"192.0.2.{n}\"]\n[[vm.network]]\nname = \"lan\"\n");
    let dir = tree(&wrong, &[("web1", &vm(10)), ("web2", &vm(11)), ("web3", "addresses = [\"192.0.2.12\"]\n[vm]\n")]);
    let (_, diagnostics, _) = check(dir.path());
    assert_eq!(codes(&diagnostics), ["invalid-network-prefix", "invalid-network-prefix"], "{diagnostics:#?}");
}

#[test]
fn a_machine_takes_over_what_it_does_not_say_itself() {
    let hypervisor = "addresses = [\"192.0.2.70\"]\n[hypervisor]\naccel = [\"tcg\", \"nspawn\"]\npool = \"fast\"\n";
    let dir = tree(
        LAN,
        &[
            ("kvm1", hypervisor),
            ("web1", "addresses = [\"192.0.2.10\", \"2001:db8::10\"]\n[vm]\nhypervisor = \"kvm1.example.org\"\n"),
            ("web2", "addresses = [\"192.0.2.11\"]\n[vm]\n"),
            (
                "web3",
                "addresses = [\"192.0.2.13\"]\n[vm]\nhypervisor = \"kvm1.example.org\"\naccel = [\"kvm\"]\n[[vm.disk]]\nname = \"data\"\nmount = \"/srv\"\n[monitoring]\nparents = []\n",
            ),
        ],
    );
    let model = model(dir.path());
    let vm = |name: &str| model.hosts[&host(name)].vm.clone().unwrap();
    let accel = |name: &str| vm(name).accel.iter().map(|one| one.as_str()).collect::<Vec<_>>();
    assert_eq!([accel("web1"), accel("web2"), accel("web3")], [vec!["tcg", "nspawn"], vec!["kvm"], vec!["kvm"]]);
    let web1 = vm("web1");
    assert_eq!((web1.cpus, web1.memory, web1.autostart), (1, 1024, true));
    assert_eq!(web1.disks.len(), 1);
    assert_eq!((web1.disks[0].name.as_str(), web1.disks[0].size), ("root", 8 << 30));
    let addresses: Vec<String> = web1.interfaces[0].addresses.iter().map(|a| a.value.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.10", "2001:db8::10"]);
    // The disk at / is the first, written or not.
    let disks: Vec<String> = vm("web3").disks.iter().map(|disk| disk.name.clone()).collect();
    assert_eq!(disks, ["root", "data"]);
    let parents = |name: &str| {
        model.hosts[&host(name)].monitoring.parents.iter().map(|p| p.value.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(parents("web1"), ["kvm1.example.org"]);
    assert!(parents("web2").is_empty() && parents("web3").is_empty());
}

#[test]
fn a_chain_of_hypervisors_is_no_circle_and_a_long_circle_is_told_once() {
    let lan = "[network.lan]\nbridge = \"br0\"\nprefixes = [\"198.18.0.0/16\"]\n";
    let chain = |last: &str| -> Vec<(String, String)> {
        let text = |n: u32| {
            let above =
                if n == 399 { last.to_owned() } else { format!("hypervisor = \"h{:03}.example.org\"\n", n + 1) };
            format!("addresses = [\"198.18.{}.{}\"]\n[hypervisor]\n[vm]\n{above}", n / 200, n % 200 + 1)
        };
        (0..400).map(|n| (format!("h{n:03}"), text(n))).collect()
    };
    for (last, wanted) in [("", Vec::new()), ("hypervisor = \"h390.example.org\"\n", vec!["hypervisor-cycle"])] {
        let hosts = chain(last);
        let hosts: Vec<(&str, &str)> = hosts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let dir = tree(lan, &hosts);
        let (_, diagnostics, _) = check(dir.path());
        assert_eq!(codes(&diagnostics), wanted, "{diagnostics:#?}");
    }
}
