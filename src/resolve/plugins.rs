//! The plugins that Debian brings (bookworm's and trixie's packages), so that a misspelt one is found before a machine
//! misses it.

/// Where Debian's packages put Nagios' plugins.
pub const NAGIOS: &str = "/usr/lib/nagios/plugins";
/// Where they put Munin's.
pub const MUNIN: &str = "/usr/share/munin/plugins";

/// The package that brings a plugin of Nagios.
pub fn nagios(name: &str) -> Option<&'static str> {
    find(&[("monitoring-plugins-basic", BASIC), ("monitoring-plugins-standard", STANDARD)], name)
}

/// The package that brings a plugin of Munin.
pub fn munin(name: &str) -> Option<&'static str> {
    find(&[("munin-plugins-core", MUNIN_CORE), ("munin-plugins-extra", MUNIN_EXTRA)], name)
}

pub fn all_nagios() -> impl Iterator<Item = &'static str> {
    BASIC.iter().chain(STANDARD).copied()
}

pub fn all_munin() -> impl Iterator<Item = &'static str> {
    MUNIN_CORE.iter().chain(MUNIN_EXTRA).copied()
}

fn find(lists: &[(&'static str, &[&str])], name: &str) -> Option<&'static str> {
    lists.iter().find(|(_, names)| names.binary_search(&name).is_ok()).map(|(package, _)| *package)
}

#[rustfmt::skip]
const BASIC: &[&str] = &[
    "check_apt", "check_by_ssh", "check_clamd", "check_cluster", "check_dhcp", "check_disk", "check_dummy",
    "check_file_age", "check_ftp", "check_host", "check_http", "check_icmp", "check_ide_smart", "check_imap",
    "check_ircd", "check_jabber", "check_load", "check_log", "check_mrtg", "check_mrtgtraf", "check_nagios",
    "check_nntp", "check_nntps", "check_nt", "check_ntp", "check_ntp_peer", "check_ntp_time", "check_nwstat",
    "check_overcr", "check_ping", "check_pop", "check_procs", "check_real", "check_rta_multi", "check_sensors",
    "check_simap", "check_smtp", "check_spop", "check_ssh", "check_ssmtp", "check_swap", "check_tcp",
    "check_time", "check_udp", "check_ups", "check_users",
];

#[rustfmt::skip]
const STANDARD: &[&str] = &[
    "check_breeze", "check_curl", "check_dbi", "check_dig", "check_disk_smb", "check_dns", "check_flexlm",
    "check_fping", "check_game", "check_hpjd", "check_ifoperstatus", "check_ifstatus", "check_ldap", "check_ldaps",
    "check_mailq", "check_mysql", "check_mysql_query", "check_oracle", "check_pgsql", "check_radius", "check_rpc",
    "check_snmp", "check_wave",
];

#[rustfmt::skip]
const MUNIN_CORE: &[&str] = &[
    "acpi", "amavis", "apache_accesses", "apache_processes", "apache_volume", "apc_envunit_", "apt", "apt_all",
    "bind9", "bind9_rndc", "bonding_err_", "buddyinfo", "courier_mta_mailqueue", "courier_mta_mailstats",
    "courier_mta_mailvolume", "cps_", "cpu", "cpuspeed", "cupsys_pages", "df", "df_abs", "df_inode",
    "digitemp_", "diskstat_", "diskstats", "entropy", "exim_mailqueue", "exim_mailstats", "fail2ban",
    "forks", "freeradius_acct", "freeradius_auth", "freeradius_proxy_acct", "freeradius_proxy_auth",
    "fw_conntrack", "fw_forwarded_local", "fw_packets", "hddtemp_smartctl", "http_loadtime", "if_",
    "if_err_", "ifx_concurrent_sessions_", "interrupts", "ip_", "ipmi_", "ircu", "irqstats", "load",
    "loggrep", "lpstat", "memory", "multiping", "multips", "multips_memory", "munin_stats", "munin_update",
    "mysql_", "mysql_bytes", "mysql_innodb", "mysql_queries", "mysql_slowqueries", "mysql_threads", "netstat",
    "nfs4_client", "nfs_client", "nfsd", "nfsd4", "nginx_request", "nginx_status", "ntp_", "ntp_kernel_err",
    "ntp_kernel_pll_freq", "ntp_kernel_pll_off", "ntp_offset", "ntp_states", "nvidia_", "open_files",
    "open_inodes", "pgbouncer_connections", "pgbouncer_requests", "ping_", "port_", "postfix_mailqueue",
    "postfix_mailstats", "postfix_mailvolume", "postgres_autovacuum", "postgres_bgwriter", "postgres_cache_",
    "postgres_checkpoints", "postgres_connections_", "postgres_connections_db", "postgres_locks_",
    "postgres_oldest_prepared_xact_", "postgres_prepared_xacts_", "postgres_querylength_", "postgres_scans_",
    "postgres_size_", "postgres_streaming_", "postgres_transactions_", "postgres_tuples_", "postgres_users",
    "postgres_xlog", "proc", "proc_pri", "processes", "proxy_plugin", "ps_", "psu_", "qmailqstat",
    "quota_usage_", "selinux_avcstat", "sendmail_mailqueue", "sendmail_mailstats", "sendmail_mailtraffic",
    "sensors_", "slapd_", "slapd_bdb_cache_", "slony_lag_", "smart_", "snmp__cpuload", "snmp__df",
    "snmp__df_ram", "snmp__fc_if_", "snmp__fc_if_err_", "snmp__if_", "snmp__if_err_", "snmp__if_multi",
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
    "hp2000_", "iostat", "iostat_ios", "ipac-ng", "ipmi_sensor_", "lpar_cpu", "mailman", "mailscanner",
    "mbmon_", "memcached_", "meminfo", "mhttping", "mysql_isam_space_", "named", "netopia", "netstat_multi",
    "nomadix_users_", "nut_misc", "nut_volts", "nutups_", "openvpn", "perdition", "pm3users_", "pop_stats",
    "qmailscan", "qmailscan-simple", "samba", "spamstats", "surfboard", "zimbra_",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_a_plugin_is_found_with_its_package() {
        for list in [BASIC, STANDARD, MUNIN_CORE, MUNIN_EXTRA] {
            assert!(list.is_sorted());
        }
        assert_eq!(nagios("check_http"), Some("monitoring-plugins-basic"));
        assert_eq!(nagios("check_pgsql"), Some("monitoring-plugins-standard"));
        assert_eq!(nagios("check_nonsense"), None);
        assert_eq!(munin("if_"), Some("munin-plugins-core"));
        assert_eq!(munin("memcached_"), Some("munin-plugins-extra"));
    }
}
