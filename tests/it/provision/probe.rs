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
const TRANSLATES: &str = "exec qemu-system-x86_64 \"${@/#kvm/tcg}\" ";

/// A kernel for the stand-ins to be told of; a real one is run by the tests of whole machines.
fn kernel(directory: &Path) -> Option<PathBuf> {
    let path = directory.join("vmlinuz");
    std::fs::write(&path, "no kernel").unwrap();
    Some(path)
}

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
    let scratch = tempfile::tempdir().unwrap();
    if !Path::new("/dev/kvm").exists() {
        let why = "there is no /dev/kvm".to_owned();
        assert_eq!(trial("qemu-system-x86_64", Accelerator::Kvm, None).proof(), Proof::Missing { why });
        return;
    }
    let sector = format!("case \"$*\" in *-kernel*) printf '%s' '{}' >${{!#}};; esac; ", "");
    let _ = sector;
    let works = stand_in(scratch.path(), &TRANSLATES.replace("-cpu host", "-cpu max"));
    let _ = works;
    let aborts = stand_in(scratch.path(), "echo 'error: failed to set MSR 0x38f' >&2; kill -ABRT $$");
    let proof = trial(&aborts, Accelerator::Kvm, None).proof();
    assert!(matches!(&proof, Proof::Broken { why } if why.contains("MSR 0x38f")), "{proof:?}");
    let hangs = stand_in(scratch.path(), "exec sleep 100");
    let proof = trial(&hangs, Accelerator::Kvm, None).proof();
    assert!(matches!(proof, Proof::Hangs { .. }), "{proof:?}");
    assert!(proof.to_string().contains("hangs: a guest that takes a moment said nothing within"));
    assert!(guest::boot_disk(guest::WORD).len() >= 512);
    let _ = kernel(scratch.path());
}
