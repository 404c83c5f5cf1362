//! What is kept of the build machine's own apt configuration, because it says how this site reaches its mirrors and not
//! what they hold: everything below `Acquire::http`, `Acquire::https` and `Acquire::ftp` (proxies, certificate
//! authorities, time limits), retries, the choice between IPv4 and IPv6, the checks of Release dates (a site that mirrors
//! a snapshot has to relax them), and the passwords of /etc/apt/auth.conf. Nothing else: no sources, preferences, hooks,
//! architectures or keys.

use crate::exec::{Command, ExecError};
use rustix::fs::{Access, access};

/// Options that are kept, as prefixes of lower-case names.
const KEPT: &[&str] = &[
    "acquire::http",
    "acquire::ftp",
    "acquire::retries",
    "acquire::forceipv",
    "acquire::check-",
    "acquire::min-",
    "acquire::max-",
];

/// The options that are kept, as configuration text (apt.conf(5)), from `apt-config dump` of this machine.
pub fn settings() -> Result<String, ExecError> {
    let dump = Command::new("apt-config").arg("dump").run_ok()?.stdout_text();
    let mut text = kept(&dump);
    for (option, path) in [("Dir::Etc::netrc", "/etc/apt/auth.conf"), ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d")]
    {
        if access(path, Access::READ_OK).is_ok() {
            text.push_str(&format!("{option} \"{path}\";\n"));
        }
    }
    Ok(text)
}

/// The kept lines of `apt-config dump`; its format is that of a configuration file (apt.conf(5)).
fn kept(dump: &str) -> String {
    let mut text = String::new();
    for line in dump.lines() {
        let Some((name, value)) = line.split_once(' ') else { continue };
        let name = name.to_ascii_lowercase();
        if value != "\"\";" && KEPT.iter().any(|prefix| name.starts_with(prefix)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_mirrors_is_kept_of_the_host() {
        let dump = "APT \"\";\nAPT::Architecture \"amd64\";\nAcquire \"\";\nAcquire::http \"\";\n\
            Acquire::http::Proxy \"http://proxy.example.org:3128\";\nAcquire::https::CAInfo \"/etc/ssl/site.pem\";\n\
            Acquire::Check-Valid-Until \"false\";\nAcquire::Languages:: \"de\";\nAPT::Update::Post-Invoke:: \"rm x\";\n\
            Dir::Etc::sourcelist \"x\";\n";
        assert_eq!(
            kept(dump),
            "Acquire::http::Proxy \"http://proxy.example.org:3128\";\n\
             Acquire::https::CAInfo \"/etc/ssl/site.pem\";\nAcquire::Check-Valid-Until \"false\";\n"
        );
    }
}
