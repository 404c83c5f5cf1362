//! Units of systemd: those of its own, in place or by the machine, and what is said of others.

use super::{Assembly, Rank, root};
use crate::deb::sha256;
use crate::lower::machine_manifest::{FileKind, OwnUnit, Ownership, UnitState};
use crate::model::{Content, ServiceState, Unit};
use crate::names::{MachinePath, UnitName};
use crate::plan::{ClaimKind, Entry};
use crate::source::Spanned;
use std::sync::Arc;

impl Assembly<'_> {
    /// A unit of its own, in place: systemd finds it, and its removal takes it away.
    pub(super) fn unit(&mut self, unit: &Unit, enabled: bool, bytes: &Arc<[u8]>) {
        let Some(path) = self.generated(&format!("/usr/lib/systemd/system/{}", unit.name.value), unit.name.span) else {
            return;
        };
        self.claim(&Spanned::new(path.clone(), unit.name.span), ClaimKind::InPlace);
        self.entries.insert(path, Entry::File { mode: 0o644, bytes: bytes.clone() });
        self.manifest.own_units.insert(unit.name.value.clone(), OwnUnit { enabled, sha256: sha256(bytes) });
        self.units_in_place = true;
    }

    /// A unit that needs a machine's values. Two packages can't ship one path, so the host's rendering goes where
    /// systemd looks first (systemd.unit(5)).
    pub(super) fn bound_unit(&mut self, unit: &Unit, enabled: bool) {
        let Some(path) = self.unit_override(unit) else { return };
        self.claim(&Spanned::new(path.clone(), unit.name.span), ClaimKind::Managed);
        self.manifest.host_bound.insert(path.clone());
        self.manifest.restart.insert((path, unit.name.value.clone()));
        if enabled {
            self.manifest.units.insert(unit.name.value.clone(), UnitState::Enabled);
        }
    }

    /// A host's rendering of a role's unit.
    pub fn rendered_unit(&mut self, unit: &Unit, bytes: &Arc<[u8]>) {
        let Some(path) = self.unit_override(unit) else { return };
        self.claim(&Spanned::new(path.clone(), unit.name.span), ClaimKind::Rendering);
        let ownership = Ownership { mode: 0o644, owner: root(), group: root() };
        self.payload(&path, bytes, ownership, FileKind::Managed);
        self.manifest.restart.insert((path, unit.name.value.clone()));
    }

    fn unit_override(&mut self, unit: &Unit) -> Option<MachinePath> {
        self.generated(&format!("/etc/systemd/system/{}", unit.name.value), unit.name.span)
    }

    pub(super) fn services(&mut self, content: &Content) {
        for service in &content.services {
            let unit = &service.unit.value;
            let state = match service.state {
                // An own unit says so in its own record.
                ServiceState::Enabled if self.manifest.own_units.contains_key(unit) => None,
                ServiceState::Enabled => Some(UnitState::Enabled),
                ServiceState::Disabled => Some(UnitState::Disabled),
                ServiceState::Masked => Some(UnitState::Masked),
                ServiceState::Unchanged => None,
            };
            if let Some(state) = state {
                self.manifest.units.insert(unit.clone(), state);
            }
            if state == Some(UnitState::Masked)
                && let Some(path) = self.generated(&format!("/etc/systemd/system/{unit}"), service.unit.span)
            {
                self.claim(&Spanned::new(path, service.unit.span), ClaimKind::Absent);
            }
            if let Some(drop_in) = &service.drop_in {
                let number = match self.owner.rank {
                    Rank::Role => 50,
                    Rank::Host => 60,
                };
                let path = format!("/etc/systemd/system/{unit}.d/{number}-{}.conf", self.owner.package);
                let Some(path) = self.generated(&path, service.unit.span) else { continue };
                self.generated_file(&path, &drop_in.value, 0o644, drop_in.span);
                if !matches!(service.state, ServiceState::Disabled | ServiceState::Masked) {
                    self.manifest.restart.insert((path, unit.clone()));
                }
            }
        }
    }

    /// A unit that is enabled and started, unless something else is said of it.
    pub fn enabled(&mut self, unit: &UnitName) {
        self.manifest.units.entry(unit.clone()).or_insert(UnitState::Enabled);
    }
}
