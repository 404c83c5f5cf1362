//! Virtual machines, hypervisors and networks, as they are meant.

use crate::names::{HostName, MachinePath};
use crate::source::{Span, Spanned};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `[network.NAME]` of debrole.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub name: Spanned<String>,
    /// The bridge's name on hypervisors; an interface's name of Linux.
    pub bridge: String,
    /// Never empty; none is within another, of whatever network.
    pub prefixes: Vec<Spanned<IpPrefix>>,
    /// At most one of each kind of address.
    pub gateways: Vec<IpAddr>,
    /// At most three.
    pub dns: Vec<IpAddr>,
    /// In the order written.
    pub pool: Vec<Spanned<IpRange>>,
}

impl Network {
    /// The prefix that an address belongs to.
    pub fn prefix(&self, address: &IpAddr) -> Option<&IpPrefix> {
        self.prefixes.iter().map(|prefix| &prefix.value).find(|prefix| prefix.contains(address))
    }

    /// Whether `debrole provision` chooses addresses of this kind.
    pub fn has_pool(&self, v4: bool) -> bool {
        self.pool.iter().any(|range| range.value.first.is_ipv4() == v4)
    }
}

/// Addresses that begin with the same bits (RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpPrefix {
    /// The lowest of them.
    pub address: IpAddr,
    /// How many bits are the same.
    pub length: u8,
}

/// An address's bits, at the right of the number.
fn bits(address: &IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with these bits, of the kind of another.
fn like(kind: &IpAddr, bits: u128) -> IpAddr {
    match kind {
        IpAddr::V4(_) => Ipv4Addr::from_bits(bits as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
    }
}

impl IpPrefix {
    /// `192.0.2.0/24`. The error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<IpPrefix, String> {
        let Some((address, length)) = text.split_once('/') else {
            return Err("it has no length: an address, a slash and the number of bits".to_owned());
        };
        let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length.parse::<u8>() {
            Ok(number) if number.to_string() == length && (1..=most).contains(&number) => number,
            _ => return Err(format!("its length is not a number from 1 to {most}")),
        };
        let prefix = IpPrefix { address, length };
        let lowest = like(&address, bits(&address) & !prefix.host_bits());
        match lowest == address {
            true => Ok(prefix),
            false => Err(format!("{address} is an address in {lowest}/{length}")),
        }
    }

    /// The bits that differ within it.
    fn host_bits(&self) -> u128 {
        let most = if self.address.is_ipv4() { 32 } else { 128 };
        match most - u32::from(self.length) {
            128 => u128::MAX,
            free => (1 << free) - 1,
        }
    }

    pub fn contains(&self, address: &IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && bits(address) & !self.host_bits() == bits(&self.address)
    }

    /// Whether one is within the other.
    pub fn overlaps(&self, other: &IpPrefix) -> bool {
        self.contains(&other.address) || other.contains(&self.address)
    }

    /// Whether no machine can have the address: the prefix's own, and the broadcast address of IPv4. (RFC 3021: prefixes
    /// of 31 bits have neither. Of IPv6 the lowest is the routers', RFC 4291 2.6.1.)
    pub fn reserves(&self, address: &IpAddr) -> bool {
        let most = if self.address.is_ipv4() { 32 } else { 128 };
        if !self.contains(address) || most - self.length < 2 {
            return false;
        }
        let host = bits(address) & self.host_bits();
        host == 0 || (self.address.is_ipv4() && host == self.host_bits())
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Addresses from one to another, of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    pub first: IpAddr,
    /// Not below the first.
    pub last: IpAddr,
}

impl IpRange {
    /// `192.0.2.100-192.0.2.199`, or one address. The error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<IpRange, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| format!("{text:?} is not an IP address"));
        let (first, last) = (address(first)?, address(last)?);
        if first.is_ipv4() != last.is_ipv4() {
            return Err("one end of it is an IPv4 address, the other one of IPv6".to_owned());
        }
        if first > last {
            return Err(format!("{last} comes before {first}"));
        }
        Ok(IpRange { first, last })
    }

    /// All of them, the lowest first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let kind = self.first;
        (bits(&self.first)..=bits(&self.last)).map(move |bits| like(&kind, bits))
    }

    pub fn contains(&self, address: &IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && (self.first..=self.last).contains(address)
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A MAC address of one interface (IEEE 802, 8.2): six bytes, not a group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Six bytes of two hexadecimal digits, colons between. The error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Mac, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let byte = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = parts.iter().map(|part| byte(part)).collect();
        let Some(bytes) = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()) else {
            return Err("a MAC address is six pairs of hexadecimal digits with colons between".to_owned());
        };
        match bytes {
            [first, ..] if first & 1 == 1 => {
                Err("it is a group's address: its first byte is odd (IEEE 802, 8.2)".to_owned())
            }
            [0, 0, 0, 0, 0, 0] => Err("it is no interface's address".to_owned()),
            bytes => Ok(Mac(bytes)),
        }
    }
}

impl fmt::Display for Mac {
    /// Lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.write_str(&bytes.join(":"))
    }
}

/// What a virtual machine runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accelerator {
    Kvm,
    Tcg,
    Nspawn,
}

impl Accelerator {
    pub const ALL: [Accelerator; 3] = [Accelerator::Kvm, Accelerator::Tcg, Accelerator::Nspawn];
    /// What holds where nothing is said.
    pub const DEFAULT: [Accelerator; 1] = [Accelerator::Kvm];

    pub fn as_str(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
            Accelerator::Nspawn => "nspawn",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    Bios,
    Uefi,
}

impl Firmware {
    pub const ALL: [Firmware; 2] = [Firmware::Bios, Firmware::Uefi];

    pub fn as_str(self) -> &'static str {
        match self {
            Firmware::Bios => "bios",
            Firmware::Uefi => "uefi",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    Ext4,
    Btrfs,
    Xfs,
}

impl FileSystem {
    pub const ALL: [FileSystem; 3] = [FileSystem::Ext4, FileSystem::Btrfs, FileSystem::Xfs];

    pub fn as_str(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Btrfs => "btrfs",
            FileSystem::Xfs => "xfs",
        }
    }
}

/// `[hypervisor]` of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hypervisor {
    /// libvirt's connection URI.
    pub uri: String,
    /// Never empty.
    pub accel: Vec<Accelerator>,
    /// libvirt's storage pool.
    pub pool: String,
}

/// `[vm]` of a host.
#[derive(Debug, Clone)]
pub struct Vm {
    /// None: the machine where it is provisioned.
    pub hypervisor: Option<Spanned<HostName>>,
    /// `amd64`.
    pub architecture: &'static str,
    /// 1 to 512.
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    pub firmware: Firmware,
    /// The most wanted first. Never empty.
    pub accel: Vec<Accelerator>,
    pub autostart: bool,
    /// The one at `/` first. Never empty.
    pub disks: Vec<Disk>,
    /// In the order written. Never empty.
    pub interfaces: Vec<Interface>,
    pub span: Span,
    /// Where `firmware` is written, and the first `[[vm.disk]]`: a container has neither.
    pub machine_only: [Option<Span>; 2],
}

#[derive(Debug, Clone)]
pub struct Disk {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub file_system: FileSystem,
    /// None: `/`.
    pub mount: Option<Spanned<MachinePath>>,
    pub span: Span,
}

/// `[[vm.network]]` of a host.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The name of one of the fleet's networks.
    pub network: Spanned<String>,
    /// None: not chosen yet.
    pub mac: Option<Spanned<Mac>>,
    /// In the order written; all within the network's prefixes.
    pub addresses: Vec<Spanned<IpAddr>>,
    /// Whether `addresses` are written here and not the host's own: then none are chosen.
    pub own_addresses: bool,
    /// False where it is the fleet's only network and the host's file has no table of it.
    pub written: bool,
}

impl Interface {
    /// Whether an address of this kind is to be chosen from the network's pool.
    pub fn is_open(&self, network: &Network, v4: bool) -> bool {
        !self.own_addresses
            && network.has_pool(v4)
            && !self.addresses.iter().any(|address| address.value.is_ipv4() == v4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_its_bits() {
        let prefix = IpPrefix::parse("192.0.2.128/25").unwrap();
        for (address, within) in [("192.0.2.127", false), ("192.0.2.128", true), ("192.0.2.255", true), ("::1", false)]
        {
            assert_eq!(prefix.contains(&address.parse().unwrap()), within, "{address}");
        }
        let prefix = IpPrefix::parse("2001:db8::/64").unwrap();
        assert!(prefix.contains(&"2001:db8::ffff".parse().unwrap()));
        assert!(!prefix.contains(&"2001:db8:0:1::".parse().unwrap()));
        for wrong in
            ["192.0.2.1/24", "192.0.2.0", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/0", "::/129", "a/8", "/8"]
        {
            assert!(IpPrefix::parse(wrong).is_err(), "{wrong}");
        }
        let reserved =
            |prefix: &str, address: &str| IpPrefix::parse(prefix).unwrap().reserves(&address.parse().unwrap());
        assert!(reserved("192.0.2.0/24", "192.0.2.0") && reserved("192.0.2.0/24", "192.0.2.255"));
        assert!(!reserved("192.0.2.0/31", "192.0.2.0") && !reserved("192.0.2.0/24", "192.0.2.1"));
        assert!(reserved("2001:db8::/64", "2001:db8::") && !reserved("2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff"));
        assert!(!reserved("2001:db8::1/128", "2001:db8::1"));
    }

    #[test]
    fn a_range_has_all_addresses_between_its_ends() {
        let range = IpRange::parse("192.0.2.254-192.0.3.1").unwrap();
        let all: Vec<String> = range.addresses().map(|address| address.to_string()).collect();
        assert_eq!(all, ["192.0.2.254", "192.0.2.255", "192.0.3.0", "192.0.3.1"]);
        assert_eq!(IpRange::parse("::5").unwrap().addresses().count(), 1);
        for wrong in ["192.0.2.9-192.0.2.1", "192.0.2.1-::1", "192.0.2.1-9", "-", ""] {
            assert!(IpRange::parse(wrong).is_err(), "{wrong}");
        }
        // All of IPv6 is counted lazily.
        let all = IpRange::parse("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").unwrap();
        assert_eq!(all.addresses().next(), Some("::".parse().unwrap()));
    }

    #[test]
    fn a_mac_address_is_one_interfaces() {
        assert_eq!(Mac::parse("52:54:00:AB:cd:ef").unwrap().to_string(), "52:54:00:ab:cd:ef");
        for wrong in [
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:+f",
            "52-54-00-ab-cd-ef",
            "",
        ] {
            assert!(Mac::parse(wrong).is_err(), "{wrong}");
        }
    }
}
