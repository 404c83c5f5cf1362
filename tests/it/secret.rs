//! `debrole secret` where somebody or something comes in between: another who writes, a kill, a terminal that is closed, a
//! file that is not whole.

use crate::program::{DEBROLE_TOML, Fleet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const ROLE: &str = "summary = \"Web\"\n[[secret]]\nname = \"password\"\n";
const SECRET: &str = "correct-horse-battery-staple";

struct Kept {
    fleet: Fleet,
    keys: tempfile::TempDir,
    /// In memory, as /run/user/UID is.
    memory: tempfile::TempDir,
}

impl Kept {
    /// A tree with a secret that the key `admin` decrypts.
    fn new() -> Kept {
        let fleet = Fleet::new(&[("web", ROLE)]);
        let keys = tempfile::tempdir().unwrap();
        let kept = Kept { fleet, keys, memory: tempfile::tempdir_in("/dev/shm").unwrap() };
        let key = kept.key();
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        kept.fleet.write("debrole.toml", format!("{DEBROLE_TOML}[secrets]\nrecipients = [\"{}\"]\n", public.trim()));
        let output = kept.run(&["set", "password"], SECRET, "true");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        kept
    }

    fn key(&self) -> PathBuf {
        self.keys.path().join("admin")
    }

    fn file(&self) -> PathBuf {
        self.fleet.root().join("secrets/password.age")
    }

    fn command(&self, arguments: &[&str], editor: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
        command.arg("-C").arg(self.fleet.root()).arg("secret").args(arguments);
        command.env("DEBROLE_IDENTITY", self.key()).env("EDITOR", editor).env_remove("VISUAL");
        command.env("XDG_RUNTIME_DIR", self.memory.path());
        command
    }

    fn run(&self, arguments: &[&str], input: &str, editor: &str) -> Output {
        let mut command = self.command(arguments, editor);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn decrypted(&self) -> String {
        let output = Command::new("age").args(["-d", "-i"]).arg(self.key()).arg(self.file()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn in_memory(&self) -> usize {
        fs::read_dir(self.memory.path()).unwrap().count()
    }
}

#[test]
fn what_somebody_else_sets_during_an_edit_stays() {
    let kept = Kept::new();
    // The editor takes its time: meanwhile it is set anew.
    let other = "another-horse-another-battery";
    let set = format!(
        "printf %s {other} | {} -C {} secret set password >&2; printf %s of-the-editor >",
        env!("CARGO_BIN_EXE_debrole"),
        kept.fleet.root().display()
    );
    let output = kept.run(&["edit", "password"], "", &set);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("secrets/password.age was written by somebody else meanwhile"), "{said}");
    assert_eq!(kept.decrypted(), other);
    // Alone, it is written.
    assert!(kept.run(&["edit", "password"], "", "printf %s of-the-editor >").status.success());
    assert_eq!(kept.decrypted(), "of-the-editor");
    assert_eq!(fs::read_dir(kept.file().parent().unwrap()).unwrap().count(), 1);
    assert_eq!(kept.in_memory(), 0);
}

#[test]
fn no_plaintext_stays_in_memory_of_an_edit_that_was_ended() {
    let kept = Kept::new();
    // The terminal is closed, or the machine shut down: at once.
    for (signal, status) in [("HUP", 129), ("TERM", 143)] {
        let output = kept.run(&["edit", "password"], "", &format!("kill -{signal} $PPID; sleep 2; :"));
        assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(kept.in_memory(), 0, "{signal}");
    }
    // Ctrl-C is the editor's.
    assert!(
        kept.run(&["edit", "password"], "", "kill -INT $PPID; sleep 1; printf %s of-the-editor >").status.success()
    );
    assert_eq!((kept.decrypted(), kept.in_memory()), ("of-the-editor".into(), 0));
    // After a kill, with the next command.
    kept.run(&["edit", "password"], "", "kill -KILL $PPID; :");
    assert_eq!(kept.in_memory(), 1, "it was killed too early to show anything");
    assert!(kept.run(&["list"], "", "").status.success());
    assert_eq!(kept.in_memory(), 0);
}

#[test]
fn a_file_that_is_cut_off_is_told_before_a_machine_gets_it() {
    let kept = Kept::new();
    let whole = fs::read(kept.file()).unwrap();
    let header = whole.windows(5).position(|at| at == b"\n--- ").unwrap();
    for length in [header + 5, header + 20, header + 48, header + 49, header + 80] {
        fs::write(kept.file(), &whole[..length]).unwrap();
        let said = kept.fleet.run(&["check"]);
        assert!(said.status == Some(1) && said.err.contains("secret-damaged"), "{length}: {said:?}");
    }
    // It is written anew, and what is left of one that was killed while it wrote goes.
    fs::write(kept.file().with_file_name(".secret-AbCdEf"), "part").unwrap();
    let output = kept.run(&["set", "password"], SECRET, "true");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kept.decrypted(), SECRET);
    assert_eq!(fs::read_dir(kept.file().parent().unwrap()).unwrap().count(), 1);
}
