//! The tables of the schema, with the documentation that the reference page and editors show: a file for each subject.

mod backup;
mod fleet;
mod machine;
mod monitoring;
mod people;
mod role;
mod vm;

pub use backup::{Backup, BackupJob, BackupServer, Dump};
pub use fleet::{Debrole, Drift, Fleet, Pin, Refresh, Release, Secrets};
pub use machine::{Absent, Cron, Debconf, Directory, File, Secret, Service, Symlink, Unit};
pub use monitoring::{
    Check, Escalation, HostMonitoring, Monitoring, Munin, MuninServer, NagiosServer, Period, RoleMonitoring, Skip,
    Thresholds,
};
pub use people::{Access, Account, Adopt, CommandAlias, Group, Key, Ledger, Sudo, User};
pub use role::{Content, Host, Role, RoleRelease};
pub use vm::{Disk, Hypervisor, Interface, Network, Vm};
