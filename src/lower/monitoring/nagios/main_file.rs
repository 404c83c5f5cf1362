//! Nagios' main file.

use crate::lower::monitoring::agent::{head, path};
use crate::names::{MachinePath, PackageName, Prefix};

/// The files of Nagios beside its main file, which names them.
pub(super) const OBJECTS: [&str; 6] =
    ["commands.cfg", "contacts.cfg", "dependencies.cfg", "escalations.cfg", "hosts.cfg", "services.cfg"];

/// Where Nagios' files are.
pub(super) fn directory(prefix: &Prefix) -> String {
    format!("/etc/nagios4/{prefix}")
}

/// The main file: a machine whose roles only watch has its own.
pub fn main_path(prefix: &Prefix) -> MachinePath {
    path(&format!("{}/nagios.cfg", directory(prefix)))
}

/// Nagios' main file.
pub fn main_file(prefix: &Prefix, package: &PackageName, notify: bool) -> String {
    let directory = directory(prefix);
    let objects: String = OBJECTS.into_iter().map(|name| format!("cfg_file={directory}/{name}\n")).collect();
    format!(
        "\
{head}{objects}# What roles put there themselves.
cfg_dir=/etc/nagios4/conf.d
resource_file=/etc/nagios4/resource.cfg
log_file=/var/log/nagios4/nagios.log
object_cache_file=/var/lib/nagios4/objects.cache
precached_object_file=/var/lib/nagios4/objects.precache
status_file=/var/lib/nagios4/status.dat
status_update_interval=10
nagios_user=nagios
nagios_group=nagios
check_external_commands=1
command_file=/var/lib/nagios4/rw/nagios.cmd
lock_file=/var/run/nagios4/nagios4.pid
temp_file=/var/lib/nagios4/nagios.tmp
temp_path=/tmp
log_rotation_method=d
log_archive_path=/var/log/nagios4/archives
use_syslog=1
log_initial_states=0
log_passive_checks=0
check_result_path=/var/lib/nagios4/spool/checkresults
max_check_result_file_age=3600
check_result_reaper_frequency=5
enable_predictive_host_dependency_checks=1
enable_predictive_service_dependency_checks=1
service_check_timeout=60
host_check_timeout=60
notification_timeout=60
retain_state_information=1
state_retention_file=/var/lib/nagios4/retention.dat
retention_update_interval=60
use_retained_program_state=0
use_retained_scheduling_info=1
interval_length=60
check_for_updates=0
execute_service_checks=1
accept_passive_service_checks=1
execute_host_checks=1
accept_passive_host_checks=1
enable_notifications={notify}
enable_event_handlers=0
check_service_freshness=1
service_freshness_check_interval=60
enable_flap_detection=1
date_format=iso8601
illegal_object_name_chars=`~!$%^&*|'\"<>?,()=
illegal_macro_output_chars=`~$&|'\"<>\\
use_large_installation_tweaks=1
enable_environment_macros=0
",
        head = head(package),
        notify = u8::from(notify),
    )
}
