//! The proof of virtualization, with stand-ins for a QEMU whose KVM works, gives an error, or hangs.

use crate::machine::{Need, skip};
use debrole::provision::Accelerator;
use debrole::provision::probe::{Proof, guest, trial};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const QEMU: Need = Need::Program("qemu-system-x86_64");

/// A QEMU that is this script.
fn stand_in(directory: &Path, text: &str) -> String {
    let path = directory.join("qemu");
    std::fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// "Does" KVM by translating.
const TRANSLATES: &str = "for a; do case $a in kvm) a=tcg ;; host) a=max ;; esac; args+=(\"$a\"); done
exec qemu-system-x86_64 \"${args[@]}\"";

#[test]
fn a_guest_that_is_a_boot_sector_runs_by_translation() {
    if skip("guests by TCG", &[QEMU]) {
        return;
    }
    assert_eq!(trial("qemu-system-x86_64", Accelerator::Tcg, None).sector, Proof::Works);
}

#[test]
fn a_qemu_without_kvm_is_told_from_one_that_aborts_and_one_that_hangs() {
    if skip("guests by stand-ins for KVM", &[QEMU]) {
        return;
    }
    // The stand-ins come after the device: where there is none, that is the answer.
    if !Path::new("/dev/kvm").exists() {
        let why = "there is no /dev/kvm".to_owned();
        assert_eq!(trial("qemu-system-x86_64", Accelerator::Kvm, None).proof(), Proof::Missing { why });
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let kernel = scratch.path().join("vmlinuz");
    std::fs::write(&kernel, "no kernel, but the stand-ins do not look").unwrap();
    let proof = |name: &str, text: &str, kernel: Option<PathBuf>| {
        let directory = scratch.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        trial(&stand_in(&directory, text), Accelerator::Kvm, kernel).proof()
    };
    let says = format!("for a; do case $a in file:*) echo '{}' >\"${{a#file:}}\" ;; esac; done; exit 0", guest::WORD);
    assert_eq!(proof("half", TRANSLATES, None), Proof::Half);
    let works = format!("case \"$*\" in *-kernel*) {says};; esac\n{TRANSLATES}");
    assert_eq!(proof("works", &works, Some(kernel.clone())), Proof::Works);
    let aborts = proof("aborts", "echo 'error: failed to set MSR 0x38f' >&2; kill -ABRT $$", Some(kernel.clone()));
    assert!(
        matches!(&aborts, Proof::Broken { why } if why.contains("MSR 0x38f") && why.contains("signal: 6")),
        "{aborts:?}"
    );
    let hangs = proof("hangs", "exec sleep 100", None);
    assert!(matches!(hangs, Proof::Hangs { .. }), "{hangs:?}");
    assert!(hangs.to_string().contains("hangs: a guest that takes a moment said nothing within"));
    // As on some hosts: the boot sector runs, and a kernel does not.
    let kernel_hangs = format!("case \"$*\" in *-kernel*) exec sleep 100;; esac\n{TRANSLATES}");
    let hangs = proof("kernel", &kernel_hangs, Some(kernel));
    assert!(matches!(hangs, Proof::Hangs { .. }), "{hangs:?}");
}
