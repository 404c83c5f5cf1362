//! What a backup server makes of a machine that sends its key: by the program that sshd runs for it, without sshd.

use crate::machine::{Need, skip};
use debrole::lower::backup::SERVE;
use std::io::Write;
use std::process::{Command, Stdio};

const KEY: &str = "age-encryption.org/v1\n-> ssh-ed25519 baqJQQ c2hhcmU\nYm9keQ\n--- bWFj\nciphertext\n";
const ID: &str = "0123456789abcdef0123456789abcdef";

struct Server {
    directory: tempfile::TempDir,
}

impl Server {
    fn new() -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().display().to_string();
        let role = directory.path().join("roles/backup");
        std::fs::create_dir_all(&role).expect("writable");
        std::fs::create_dir(directory.path().join("kept")).expect("writable");
        std::fs::write(role.join("backup-server"), format!("directory {place}/kept\n")).expect("writable");
        let script = SERVE.replace("/usr/share/@PREFIX@", &place).replace("@PREFIX@", "pg");
        std::fs::write(directory.path().join("serve"), script).expect("writable");
        Server { directory }
    }

    /// What a machine is answered that asks for this and sends that; whether it succeeded.
    fn ask(&self, command: &str, input: &[u8]) -> (String, bool) {
        let mut child = Command::new("sh")
            .arg(self.directory.path().join("serve"))
            .arg("web1.example.org")
            .env("SSH_ORIGINAL_COMMAND", command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        // Who is refused is not read to the end.
        let _ = child.stdin.take().expect("piped").write_all(input);
        let output = child.wait_with_output().expect("an end");
        (String::from_utf8(output.stdout).expect("text"), output.status.success())
    }

    fn state(&self) -> String {
        self.ask("state", b"").0
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.directory.path().join("kept/web1.example.org").join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.directory.path().join("kept/web1.example.org").join(file)).unwrap_or_default()
    }
}

#[test]
fn a_key_that_came_in_part_comes_again_until_there_is_a_repository() {
    if skip("a backup server's side", &[Need::Program("flock")]) {
        return;
    }
    let server = Server::new();
    assert_eq!(server.state(), "key -\nrepository no\n");
    // The connection was cut.
    server.ask(&format!("key {ID}"), &KEY.as_bytes()[..40]);
    assert!(server.ask(&format!("key {ID}"), KEY.as_bytes()).1);
    assert_eq!(server.read("key.age"), KEY);
    assert_eq!(server.state(), format!("key {ID}\nrepository no\n"));

    // From then on it is the key.
    server.write("repo/config", "x");
    assert!(server.ask(&format!("key {ID}"), &KEY.as_bytes()[..40]).1);
    assert!(!server.ask(&format!("key {}", ID.replace('0', "1")), KEY.as_bytes()).1);
    assert_eq!(server.read("key.age"), KEY);
    assert!(server.read("refused").ends_with(" another key in the place of the one that is here\n"));
    assert_eq!(server.state(), format!("key {ID}\nrepository yes\n"));
}

#[test]
fn a_server_that_was_stopped_between_a_keys_id_and_the_key_asks_for_it_again() {
    if skip("a backup server's side", &[Need::Program("flock")]) {
        return;
    }
    let server = Server::new();
    server.write("key.id", &format!("{ID}\n"));
    assert_eq!(server.state(), "key -\nrepository no\n");
    assert!(server.ask(&format!("key {ID}"), KEY.as_bytes()).1);
    assert_eq!((server.read("key.age"), server.read("key.id")), (KEY.to_owned(), format!("{ID}\n")));
}

#[test]
fn what_is_no_key_is_none() {
    if skip("a backup server's side", &[Need::Program("flock")]) {
        return;
    }
    let server = Server::new();
    let long = [KEY.as_bytes(), &[b'x'; 200_000]].concat();
    for (command, input) in [
        (format!("key {ID}"), &b""[..]),
        (format!("key {ID}"), b"\0\0\0\0"),
        (format!("key {ID}"), b"-----BEGIN AGE ENCRYPTED FILE-----\n"),
        (format!("key ../{}", &ID[3..]), KEY.as_bytes()),
        (format!("key {ID}\nx"), KEY.as_bytes()),
        ("key ".into(), KEY.as_bytes()),
        (format!("KEY {ID}"), KEY.as_bytes()),
    ] {
        assert!(!server.ask(&command, input).1, "{command:?}");
        assert_eq!(server.state(), "key -\nrepository no\n", "{command:?}");
    }
    // More than a key has is not kept.
    server.ask(&format!("key {ID}"), &long);
    assert_eq!(server.read("key.age").len(), 65536);
}
