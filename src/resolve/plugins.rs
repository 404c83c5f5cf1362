//! The plugins that Debian brings, release by release, so that a misspelt one, or one of another release, is found before a
//! machine misses it.
//!
//! Read from the packages themselves, `dpkg-deb --contents`:
//!
//! | package | bookworm | trixie |
//! |---|---|---|
//! | monitoring-plugins-basic, -standard | 2.3.3-5+deb12u2 | 2.4.0-3+deb13u1 |
//! | monitoring-plugins-contrib | 42.20230308+deb12u1+b1 | 48.20250420 |
//! | munin-plugins-core, -extra | 2.0.73-1 | 2.0.76-5 |

use crate::names::Codename;

/// Where Debian's packages put Nagios' plugins.
pub const NAGIOS: &str = "/usr/lib/nagios/plugins";
/// Where they put Munin's.
pub const MUNIN: &str = "/usr/share/munin/plugins";

/// The releases whose packages were read.
const READ: [&str; 2] = ["bookworm", "trixie"];

/// Plugins of one package.
#[derive(Debug)]
pub struct List {
    pub package: &'static str,
    /// [`NAGIOS`] or [`MUNIN`].
    pub directory: &'static str,
    /// The one release on which the package has them; None: on all that were read.
    pub only: Option<&'static str>,
    /// Whether who names one of them gets the package, without a word about it. (contrib recommends half of Debian.)
    pub brings: bool,
    /// Sorted.
    names: &'static [&'static str],
}

#[rustfmt::skip]
static LISTS: &[List] = &[
    List { package: "monitoring-plugins-basic", directory: NAGIOS, only: None, brings: true, names: BASIC },
    List {
        package: "monitoring-plugins-basic", directory: NAGIOS, only: Some("trixie"), brings: true,
        names: &["check_curl", "check_http.deprecated", "check_mssql"],
    },
    List { package: "monitoring-plugins-standard", directory: NAGIOS, only: None, brings: true, names: STANDARD },
    List {
        package: "monitoring-plugins-standard", directory: NAGIOS, only: Some("bookworm"), brings: true,
        names: &["check_curl"],
    },
    List { package: "monitoring-plugins-contrib", directory: NAGIOS, only: None, brings: false, names: CONTRIB },
    List { package: "munin-plugins-core", directory: MUNIN, only: None, brings: true, names: MUNIN_CORE },
    List { package: "munin-plugins-extra", directory: MUNIN, only: None, brings: true, names: MUNIN_EXTRA },
];

/// The lists of a directory that hold on a release. Of one that was not read, all that the others have may be there.
fn on(directory: &str, release: &Codename) -> impl Iterator<Item = &'static List> {
    let read = READ.contains(&release.as_str());
    let holds = move |list: &&List| !read || list.only.is_none_or(|only| only == release.as_str());
    LISTS.iter().filter(move |list| list.directory == directory).filter(holds)
}

impl List {
    fn has(&self, name: &str) -> bool {
        self.names.binary_search(&name).is_ok()
    }
}

/// What brings a plugin on a release.
pub fn find(directory: &str, name: &str, release: &Codename) -> Option<&'static List> {
    on(directory, release).find(|list| list.has(name))
}

/// What brings it on some release.
pub fn somewhere(directory: &str, name: &str) -> Option<&'static List> {
    LISTS.iter().find(|list| list.directory == directory && list.has(name))
}

/// The names of all plugins on a release.
pub fn names(directory: &str, release: &Codename) -> impl Iterator<Item = &'static str> {
    on(directory, release).flat_map(|list| list.names).copied()
}

/// Whether all plugins of a package are known.
pub fn is_listed(package: &str) -> bool {
    LISTS.iter().any(|list| list.package == package)
}

// (check_http of trixie is an alternative that the package sets up: check_http.deprecated.)
#[rustfmt::skip]
const BASIC: &[&str] = &[
    "check_apt", "check_by_ssh", "check_clamd", "check_cluster", "check_dhcp", "check_disk", "check_dummy",
    "check_file_age", "check_ftp", "check_host", "check_http", "check_icmp", "check_ide_smart", "check_imap",
    "check_ircd", "check_jabber", "check_load", "check_log", "check_mrtg", "check_mrtgtraf", "check_nagios",
    "check_nntp", "check_nntps", "check_nt", "check_ntp", "check_ntp_peer", "check_ntp_time", "check_nwstat",
    "check_overcr", "check_ping", "check_pop", "check_procs", "check_real", "check_rta_multi", "check_sensors",
    "check_simap", "check_smtp", "check_spop", "check_ssh", "check_ssmtp", "check_swap", "check_tcp", "check_time",
    "check_udp", "check_ups", "check_users",
];

#[rustfmt::skip]
const STANDARD: &[&str] = &[
    "check_breeze", "check_dbi", "check_dig", "check_disk_smb", "check_dns", "check_flexlm", "check_fping",
    "check_game", "check_hpjd", "check_ifoperstatus", "check_ifstatus", "check_ldap", "check_ldaps", "check_mailq",
    "check_mysql", "check_mysql_query", "check_oracle", "check_pgsql", "check_radius", "check_rpc", "check_snmp",
    "check_wave",
];

#[rustfmt::skip]
const CONTRIB: &[&str] = &[
    "check_ajp", "check_backuppc", "check_bgpstate", "check_cert_expire", "check_cert_expire_dir",
    "check_checksums", "check_chrony", "check_clamav", "check_clock", "check_cpu", "check_cpufreq", "check_cswch",
    "check_cups", "check_debsecan", "check_dnssec_delegation", "check_drbd", "check_email_delivery",
    "check_email_delivery_epn", "check_entropy", "check_etc_hosts", "check_etc_resolv", "check_fc",
    "check_graphite", "check_haproxy", "check_haproxy_stats", "check_hp_bladechassis", "check_hpasm",
    "check_httpd_status", "check_ifmountfs", "check_imap_quota", "check_imap_quota_epn", "check_imap_receive",
    "check_imap_receive_epn", "check_intr", "check_iowait", "check_ipmi_sensor", "check_libs", "check_libs_ng",
    "check_libvirt", "check_lm_sensors", "check_madrisan_load", "check_madrisan_multipath", "check_madrisan_swap",
    "check_madrisan_uptime", "check_madrisan_users", "check_memcached", "check_memory", "check_mongodb",
    "check_mongodb.py", "check_multipath", "check_mysql_health", "check_nbprocs", "check_network",
    "check_network_collisions", "check_network_dropped", "check_network_errors", "check_network_multicast",
    "check_nfsmounts", "check_packages", "check_paging", "check_pressure", "check_printer", "check_printer_health",
    "check_raid", "check_rbl", "check_readonlyfs", "check_redis", "check_running_kernel", "check_smstools",
    "check_smtp_send", "check_smtp_send_epn", "check_snmp_environment", "check_snmp_time", "check_soas",
    "check_ssl_cert", "check_statusfile", "check_tcpcount", "check_temperature", "check_uptime", "check_v46",
    "check_webinject", "check_whois", "check_zone_auth", "check_zone_rrsig_expiration", "imap_ssl_cert",
    "imap_ssl_cert_epn", "pmp-check-aws-rds.py", "pmp-check-lvm-snapshots", "pmp-check-mongo.py",
    "pmp-check-mysql-deadlocks", "pmp-check-mysql-deleted-files", "pmp-check-mysql-file-privs",
    "pmp-check-mysql-innodb", "pmp-check-mysql-pidfile", "pmp-check-mysql-processlist",
    "pmp-check-mysql-replication-delay", "pmp-check-mysql-replication-running", "pmp-check-mysql-status",
    "pmp-check-mysql-ts-count", "pmp-check-pt-table-checksum", "pmp-check-unix-memory",
];

#[rustfmt::skip]
const MUNIN_CORE: &[&str] = &[
    "acpi", "amavis", "apache_accesses", "apache_processes", "apache_volume", "apc_envunit_", "apt", "apt_all",
    "bind9", "bind9_rndc", "bonding_err_", "buddyinfo", "courier_mta_mailqueue", "courier_mta_mailstats",
    "courier_mta_mailvolume", "cps_", "cpu", "cpuspeed", "cupsys_pages", "df", "df_abs", "df_inode", "digitemp_",
    "diskstat_", "diskstats", "entropy", "exim_mailqueue", "exim_mailstats", "fail2ban", "forks", "freeradius_acct",
    "freeradius_auth", "freeradius_proxy_acct", "freeradius_proxy_auth", "fw_conntrack", "fw_forwarded_local",
    "fw_packets", "hddtemp_smartctl", "http_loadtime", "if_", "if_err_", "ifx_concurrent_sessions_", "interrupts",
    "ip_", "ipmi_", "ircu", "irqstats", "load", "loggrep", "lpstat", "memory", "multiping", "multips",
    "multips_memory", "munin_stats", "munin_update", "mysql_", "mysql_bytes", "mysql_innodb", "mysql_queries",
    "mysql_slowqueries", "mysql_threads", "netstat", "nfs4_client", "nfs_client", "nfsd", "nfsd4", "nginx_request",
    "nginx_status", "ntp_", "ntp_kernel_err", "ntp_kernel_pll_freq", "ntp_kernel_pll_off", "ntp_offset",
    "ntp_states", "nvidia_", "open_files", "open_inodes", "pgbouncer_connections", "pgbouncer_requests", "ping_",
    "port_", "postfix_mailqueue", "postfix_mailstats", "postfix_mailvolume", "postgres_autovacuum",
    "postgres_bgwriter", "postgres_cache_", "postgres_checkpoints", "postgres_connections_",
    "postgres_connections_db", "postgres_locks_", "postgres_oldest_prepared_xact_", "postgres_prepared_xacts_",
    "postgres_querylength_", "postgres_scans_", "postgres_size_", "postgres_streaming_", "postgres_transactions_",
    "postgres_tuples_", "postgres_users", "postgres_xlog", "proc", "proc_pri", "processes", "proxy_plugin", "ps_",
    "psu_", "qmailqstat", "quota_usage_", "selinux_avcstat", "sendmail_mailqueue", "sendmail_mailstats",
    "sendmail_mailtraffic", "sensors_", "slapd_", "slapd_bdb_cache_", "slony_lag_", "smart_", "snmp__cpuload",
    "snmp__df", "snmp__df_ram", "snmp__fc_if_", "snmp__fc_if_err_", "snmp__if_", "snmp__if_err_", "snmp__if_multi",
    "snmp__load", "snmp__memory", "snmp__netapp_diskusage_", "snmp__netapp_inodeusage_", "snmp__netstat",
    "snmp__print_pages", "snmp__print_supplies", "snmp__processes", "snmp__rdp_users", "snmp__sensors_fsc_bx_fan",
    "snmp__sensors_fsc_bx_temp", "snmp__sensors_fsc_fan", "snmp__sensors_fsc_temp", "snmp__sensors_mbm_fan",
    "snmp__sensors_mbm_temp", "snmp__sensors_mbm_volt", "snmp__swap", "snmp__uptime", "snmp__users",
    "snmp__winload", "snmp__winmem", "snort_alerts", "snort_bytes_pkt", "snort_drop_rate", "snort_pattern_match",
    "snort_pkts", "snort_traffic", "squeezebox_", "squid_cache", "squid_icp", "squid_objectsize", "squid_requests",
    "squid_traffic", "swap", "sybase_space", "tcp", "threads", "tomcat_", "tomcat_access", "tomcat_jvm",
    "tomcat_threads", "tomcat_volume", "uptime", "users", "varnish_", "vlan_", "vlan_inetuse_", "vlan_linkuse_",
    "vmstat", "vserver_cpu_", "vserver_loadavg", "vserver_resources", "yum",
];

#[rustfmt::skip]
const MUNIN_EXTRA: &[&str] = &[
    "apc_nis", "cmc_tc_sensor_", "courier_", "dhcpd3", "ejabberd_", "exim_mailqueue_alt", "foldingathome",
    "foldingathome_rank", "foldingathome_wu", "haproxy_", "haproxy_ng", "hddtemp", "hddtemp2", "hddtempd",
    "hp2000_", "iostat", "iostat_ios", "ipac-ng", "ipmi_sensor_", "lpar_cpu", "mailman", "mailscanner", "mbmon_",
    "memcached_", "meminfo", "mhttping", "mysql_isam_space_", "named", "netopia", "netstat_multi", "nomadix_users_",
    "nut_misc", "nut_volts", "nutups_", "openvpn", "perdition", "pm3users_", "pop_stats", "qmailscan",
    "qmailscan-simple", "samba", "spamstats", "surfboard", "zimbra_",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn package(directory: &str, name: &str, release: &str) -> Option<&'static str> {
        let release = Codename::parse(release).expect("a codename");
        find(directory, name, &release).map(|list| list.package)
    }

    #[test]
    fn lists_are_sorted_and_a_plugin_is_found_with_its_package() {
        assert!(LISTS.iter().all(|list| list.names.is_sorted() && !list.names.is_empty()));
        for release in READ {
            assert_eq!(package(NAGIOS, "check_http", release), Some("monitoring-plugins-basic"));
            assert_eq!(package(NAGIOS, "check_pgsql", release), Some("monitoring-plugins-standard"));
            assert_eq!(package(NAGIOS, "check_memory", release), Some("monitoring-plugins-contrib"));
            assert_eq!(package(NAGIOS, "check_nonsense", release), None);
            assert_eq!(package(NAGIOS, "if_", release), None);
            assert_eq!(package(MUNIN, "if_", release), Some("munin-plugins-core"));
            assert_eq!(package(MUNIN, "memcached_", release), Some("munin-plugins-extra"));
        }
    }

    #[test]
    fn what_moved_or_came_is_where_its_release_has_it() {
        assert_eq!(package(NAGIOS, "check_curl", "bookworm"), Some("monitoring-plugins-standard"));
        assert_eq!(package(NAGIOS, "check_curl", "trixie"), Some("monitoring-plugins-basic"));
        assert_eq!(package(NAGIOS, "check_mssql", "bookworm"), None);
        assert_eq!(package(NAGIOS, "check_mssql", "trixie"), Some("monitoring-plugins-basic"));
        assert_eq!(
            package(NAGIOS, "check_mssql", "forky"),
            Some("monitoring-plugins-basic"),
            "nobody has read that one"
        );
    }
}
