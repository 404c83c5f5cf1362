//! The disks of libvirt's machines: volumes of a storage pool.

use super::Libvirt;
use crate::provision::run::{Hypervisor, RunError};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// An upload may be of some gigabytes over a slow line.
const UPLOAD: Duration = Duration::from_secs(3 * 3600);

impl Libvirt {
    /// The pool, running. The usual one is made as virt-install(1) makes it, where it is missing.
    pub(super) fn pool(&self) -> Result<(), RunError> {
        let what = "use the storage pool";
        let pools = self.ask(what, &["pool-list", "--all", "--name"])?;
        if !pools.lines().any(|pool| pool.trim() == self.pool) {
            if self.pool != "default" {
                let reason = format!(
                    "there is no pool \"{0}\" on {1}: make it there with \"virsh pool-define-as {0} dir --target DIRECTORY\"",
                    self.pool,
                    self.describe()
                );
                return Err(RunError::Other { what: what.to_owned(), reason });
            }
            self.ask(what, &["pool-define-as", "default", "dir", "--target", "/var/lib/libvirt/images"])?;
            self.ask(what, &["pool-build", "default"])?;
            self.ask(what, &["pool-autostart", "default"])?;
        }
        let active = self.ask(what, &["pool-list", "--name"])?;
        if !active.lines().any(|pool| pool.trim() == self.pool) {
            self.ask(what, &["pool-start", &self.pool])?;
        }
        // Files that came or went behind its back.
        self.ask(what, &["pool-refresh", &self.pool]).map(drop)
    }

    /// How many bytes are free in the pool.
    pub(in crate::provision) fn room(&self) -> Result<Option<u64>, RunError> {
        self.pool()?;
        let info = self.ask("ask for room", &["pool-info", "--bytes", "--pool", &self.pool])?;
        Ok(info.lines().find_map(|line| line.strip_prefix("Available:")?.trim().parse().ok()))
    }

    pub(super) fn volumes(&self) -> Result<Vec<String>, RunError> {
        let text = self.ask("list the disks", &["vol-list", "--pool", &self.pool])?;
        Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// The end of the names of a domain's volumes.
    pub(super) fn tail(&self, uuid: &str) -> String {
        format!("-{}{}.img", self.token(), &uuid[..8])
    }

    pub(super) fn token(&self) -> String {
        Sha256::digest(self.fleet.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes a volume of a file's content. Its path on the hypervisor.
    pub(super) fn upload(&self, volume: &str, file: &Path, size: u64) -> Result<String, RunError> {
        let what = format!("upload {}", file.display());
        let size = format!("{size}b");
        self.ask(
            &what,
            &[
                "vol-create-as",
                "--pool",
                &self.pool,
                "--name",
                volume,
                "--capacity",
                &size,
                "--allocation",
                "0",
                "--format",
                "raw",
            ],
        )?;
        let path = file.display().to_string();
        let upload = self.virsh(&["vol-upload", "--pool", &self.pool, "--vol", volume, "--file", &path, "--sparse"]);
        self.carry_out(&what, &upload.limit(UPLOAD))?;
        let path = self.ask(&what, &["vol-path", "--pool", &self.pool, "--vol", volume])?;
        Ok(path.trim().to_owned())
    }

    pub(super) fn delete(&self, volume: &str) -> Result<(), RunError> {
        self.ask(&format!("remove the disk {volume}"), &["vol-delete", "--pool", &self.pool, "--vol", volume]).map(drop)
    }
}
