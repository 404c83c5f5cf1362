//! The proof of KVM by guests that libvirt runs.

use super::{Libvirt, uuid};
use crate::provision::Accelerator;
use crate::provision::probe::{Proof, guest};
use crate::provision::run::RunError;
use crate::provision::run::domain::{Boot, Domain, Mark};
use crate::scratch::Scratch;
use std::path::Path;
use std::time::Duration;

impl Libvirt {
    /// Runs one of the two guests that prove KVM.
    pub(super) fn prove(&self, limit: Duration, kernel: Option<&Path>) -> Result<Proof, RunError> {
        let uuid = uuid()?;
        let name = format!("debrole-probe-{}", &uuid[..8]);
        let scratch = Scratch::new().map_err(RunError::io("make", "a guest"))?;
        let mut volumes: Vec<String> = Vec::new();
        let mut put = |what: &str, content: Vec<u8>| -> Result<String, RunError> {
            let file = scratch.path().join(what);
            let volume = format!("{name}-{what}{}", self.tail(&uuid));
            std::fs::write(&file, &content).map_err(RunError::io("write", &file))?;
            volumes.push(volume.clone());
            self.upload(&volume, &file, content.len() as u64)
        };
        let made = (|| match kernel {
            None => Ok((Boot::Bios, vec![put("disk", guest::boot_disk(guest::WORD))?])),
            Some(path) => {
                let content = std::fs::read(path).map_err(RunError::io("read", path))?;
                let (kernel, initramfs) = (put("kernel", content)?, put("initramfs", guest::initramfs(guest::WORD))?);
                Ok((Boot::Kernel { kernel, initramfs }, vec![]))
            }
        })();
        let proof = made.and_then(|(boot, disks)| {
            let accelerator = Accelerator::Kvm;
            let mark = Mark { fleet: self.fleet.clone(), host: name.clone(), accelerator, autostart: false };
            let domain = Domain {
                name: &name,
                uuid: &uuid,
                mark: &mark,
                cpus: 1,
                memory: 256,
                boot,
                disks: &disks,
                networks: vec![],
                log: None,
            };
            let file = scratch.path().join("domain.xml");
            std::fs::write(&file, domain.xml()).map_err(RunError::io("write", &file))?;
            let created = self.ask("run a guest", &["create", "--paused", "--file", &file.display().to_string()]);
            if let Err(RunError::Other { reason, .. }) = created {
                return Ok(Proof::Broken { why: reason });
            }
            created?;
            let heard = self.listen(&name).and_then(|mut console| {
                self.ask("run a guest", &["resume", "--domain", &name])?;
                Ok(console.hears(guest::WORD, limit))
            });
            // A guest that does not turn itself off, or hangs. One that is off is no more: it was never defined.
            let _ = self.ask("end a guest", &["destroy", "--domain", &name]);
            Ok(match heard? {
                Some(true) => Proof::Works,
                Some(false) => Proof::Broken { why: "the guest ended without a word".to_owned() },
                None => Proof::Hangs { limit },
            })
        });
        for volume in volumes {
            let _ = self.delete(&volume);
        }
        self.remove_logs(&name, &[]);
        proof
    }
}
