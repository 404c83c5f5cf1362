use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "gate-refused",
    severity: Severity::Error,
    summary: "real clients do not accept the generation that was about to be published",
    explanation: "\
Before a generation is committed, apt itself is put before it: with the source, the preferences and the key that the
keyring package brings, it has to update without a warning, see every package in the version that is to be published,
and find every file of the pool. The signatures have to satisfy gpgv (and sqv where it is installed). What apt does
not accept here no machine would accept, so it is not published; machines still see the generation before.

Refused: a key that apt's policy rejects, a Valid-Until in the past (a supplied time long ago), a clock that is ahead,
a file that was deleted from or changed in the pool.

Accepted: what the note names put right. `debrole build --no-gate` publishes without the gate, and says so.",
};
