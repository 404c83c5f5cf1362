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

/// The text of a file of a host's package, and the package's relations and manifest.
fn package(model: &Model, name: &str) -> (Vec<String>, String, Vec<(String, String)>) {
    let keyring = debrole::lower::Keyring { binary: b"key".to_vec(), armored: b"key".to_vec() };
    let (plans, diagnostics) = debrole::lower::lower(model, &keyring);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let wanted = format!("pg-host-{name}.example.org");
    let plan = plans.into_iter().find(|plan| plan.name.as_str() == wanted).unwrap();
    let deb = &plan.variants[0].deb;
    let depends = deb.relations.iter().filter(|(field, _)| field.control_name() == "Depends");
    let depends = depends.flat_map(|(_, list)| list.iter().map(ToString::to_string)).collect();
    let root = format!("/usr/share/pg/hosts/{name}.example.org");
    let mut manifest = String::new();
    let mut files = Vec::new();
    for (path, entry) in &deb.entries {
        let debrole::plan::Entry::File { bytes, .. } = entry else { continue };
        let text = String::from_utf8_lossy(bytes).into_owned();
        if path.as_str() == format!("{root}/manifest") {
            manifest = text;
        } else if let Some(path) = path.as_str().strip_prefix(&format!("{root}/files")) {
            files.push((path.to_owned(), text));
        }
    }
    (depends, manifest, files)
}

#[test]
fn a_virtual_machines_package_sets_up_its_interfaces_by_their_mac_addresses() {
    let networks = format!(
        "{LAN}[network.store]\nbridge = \"br1\"\nprefixes = [\"198.51.100.0/25\"]\ndns = [\"192.0.2.53\", \"198.51.100.1\"]\n[network.tap]\nbridge = \"br2\"\nprefixes = [\"203.0.113.0/24\"]\n"
    );
    let key = "ssh_host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"\n";
    let web1 = format!(
        "{key}addresses = [\"192.0.2.10\", \"2001:db8::10\"]\n[[vm.network]]\nname = \"lan\"\nmac = \"52:54:00:AB:00:01\"\n[[vm.network]]\nname = \"store\"\nmac = \"52:54:00:ab:00:02\"\naddresses = [\"198.51.100.7\"]\n[[vm.network]]\nname = \"tap\"\nmac = \"52:54:00:ab:00:03\"\naddresses = []\n"
    );
    let own = format!("{web1}[[service]]\nunit = \"systemd-networkd.service\"\nenable = false\n");
    for (text, enabled) in [(&web1, true), (&own, false)] {
        let dir = tree(&networks, &[("web1", text), ("plain", "addresses = [\"192.0.2.12\"]\n")]);
        let model = model(dir.path());
        let (depends, manifest, files) = package(&model, "web1");
        for package in ["openssh-server", "systemd"] {
            assert!(depends.iter().any(|one| one == package), "{depends:?}");
        }
        let head = "# Managed by pg-host-web1.example.org";
        let file = |path: &str| {
            let (_, text) =
                files.iter().find(|(known, _)| known == path).unwrap_or_else(|| panic!("{path}: {files:?}"));
            assert!(text.starts_with(head), "{text}");
            text.split_once("\n").unwrap().1.to_owned()
        };
        assert_eq!(
            file("/etc/systemd/network/10-pg-lan.network").trim_start_matches(|c| c != '['),
            "[Match]\nMACAddress=52:54:00:ab:00:01\n\n[Link]\nRequiredForOnline=yes\n\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\nGateway=192.0.2.1\nGateway=2001:db8::1\n\n[Address]\nAddress=192.0.2.10/24\nDuplicateAddressDetection=none\n\n[Address]\nAddress=2001:db8::10/64\nDuplicateAddressDetection=none\n"
        );
        let store = file("/etc/systemd/network/10-pg-store.network");
        assert!(store.contains("LinkLocalAddressing=no\n") && store.contains("Address=198.51.100.7/25\n"), "{store}");
        assert!(!store.contains("Gateway"), "{store}");
        let tap = file("/etc/systemd/network/10-pg-tap.network");
        assert!(tap.contains("RequiredForOnline=no\n") && !tap.contains("[Address]"), "{tap}");
        let servers = file("/etc/resolv.conf");
        assert!(servers.ends_with("nameserver 192.0.2.53\nnameserver 198.51.100.1\n"), "{servers}");
        let state = format!("unit systemd-networkd.service {}", if enabled { "enabled" } else { "disabled" });
        assert!(manifest.contains(&state), "{state}\n{manifest}");
        // A machine of its own is left alone.
        let (depends, manifest, files) = package(&model, "plain");
        assert!(files.is_empty() && !manifest.contains("networkd"), "{manifest}");
        assert!(!depends.iter().any(|one| one == "openssh-server"), "{depends:?}");
    }
}

#[test]
fn a_machine_that_is_to_come_is_no_mistake_and_nobody_misses_it() {
    let key = |n: u8| format!("ssh_host_key = \"{}\"\n", crate::access::key(n));
    let role = "summary = \"Server\"\n[nagios_server]\n[backup_server]\n[monitoring]\n";
    let web = "summary = \"Web\"\n[[file]]\npath = \"/etc/listen\"\ncontent = \"{{ host.ipv4 }}\\n\"\ntemplate = true\n[[backup]]\nname = \"www\"\npaths = [\"/srv/www\"]\n";
    let group = "[secrets]\nrecipients = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"]\n";
    let contacts = "[monitoring]\ncontacts = [\"admins\"]\n";
    let dir = tree(&format!("{LAN}{group}{contacts}"), &[]);
    fs::write(dir.path().join("roles/server.toml"), role).unwrap();
    fs::write(dir.path().join("roles/web.toml"), web).unwrap();
    fs::create_dir_all(dir.path().join("groups")).unwrap();
    fs::create_dir_all(dir.path().join("users")).unwrap();
    fs::write(dir.path().join("groups/admins.toml"), "gid = 2000\ndescription = \"Admins\"\nmembers = [\"alma\"]\n")
        .unwrap();
    let user = format!(
        "uid = 2001\nname = \"Alma\"\nemail = \"alma@example.org\"\n[[key]]\nkey = \"{}\"\n",
        crate::access::key(9)
    );
    fs::write(dir.path().join("users/alma.toml"), user).unwrap();
    fs::write(dir.path().join("ledger.toml"), "[users]\n2001 = \"alma\"\n[groups]\n2000 = \"admins\"\n").unwrap();
    let host = |name: &str, roles: &str, text: &str| {
        let text = format!("roles = [{roles}]\nrelease = \"bookworm\"\n{text}");
        fs::write(dir.path().join(format!("hosts/{name}.example.org.toml")), text).unwrap();
    };
    host("mon1", "\"server\"", &format!("addresses = [\"192.0.2.50\"]\n{}", key(1)));
    let web1 = |more: &str| host("web1", "\"web\"", &format!("{more}[vm]\n"));
    web1("");
    let (_, diagnostics, _) = check(dir.path());
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let nagios = |root: &Path| {
        let (mut tree, _) = Tree::read(root);
        let model = resolve(&mut tree).0.unwrap();
        let keyring = debrole::lower::Keyring { binary: b"key".to_vec(), armored: b"key".to_vec() };
        let plans = debrole::lower::lower(&model, &keyring).0;
        let plan = plans.into_iter().find(|plan| plan.name.as_str() == "pg-nagios-config").unwrap();
        let text = plan.variants[0].deb.entries.values().filter_map(|entry| match entry {
            debrole::plan::Entry::File { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        });
        text.collect::<String>()
    };
    assert!(!nagios(dir.path()).contains("web1.example.org"));
    // With its key it is one of the others, and what is missing of it is missing.
    web1(&key(2));
    let (accepted, diagnostics, _) = check(dir.path());
    assert!(!accepted && codes(&diagnostics).contains(&"host-value-missing"), "{diagnostics:#?}");
    web1(&format!("addresses = [\"192.0.2.10\", \"2001:db8::10\"]\n{}", key(2)));
    assert!(check(dir.path()).0);
    assert!(nagios(dir.path()).contains("web1.example.org"));
}

/// An address that is written twice is a warning, and the machine is a virtual one all the same; one that can't be read is
/// told once, and is not missing besides.
#[test]
fn an_address_that_is_written_twice_or_wrong_is_told_as_that_alone() {
    let own =
        |list: &str| format!("addresses = [\"192.0.2.10\"]\n[[vm.network]]\nname = \"lan\"\naddresses = [{list}]\n");
    let lan = "[network.lan]\nbridge = \"br0\"\nprefixes = [\"192.0.2.0/24\"]\n";
    let dir = tree(lan, &[("web1", &own("\"192.0.2.10\", \"192.0.2.10\""))]);
    let (accepted, diagnostics, _) = check(dir.path());
    assert!(accepted && codes(&diagnostics) == ["duplicate-entry"], "{diagnostics:#?}");
    let (mut tree_read, _) = Tree::read(dir.path());
    assert!(resolve(&mut tree_read).0.unwrap().hosts[&host("web1")].vm.is_some());
    for text in [own("\"192.0.2.300\""), "addresses = [\"192.0.2.300\"]\n[vm]\n".to_owned()] {
        let dir = tree(lan, &[("web1", &text)]);
        let (_, diagnostics, _) = check(dir.path());
        assert_eq!(codes(&diagnostics), ["invalid-address"], "{text}: {diagnostics:#?}");
    }
}
