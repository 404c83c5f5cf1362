//! Reading trees: what can be wrong with files before anybody looks into them.

use crate::ui::{check, debrole_toml};
use debrole::diagnostics::Diagnostic;
use debrole::tree::{MAX_ENTRIES, MAX_SHIPPED, MAX_TOML, Tree};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A tree with one role, `web`, that ships `motd`.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(dir.path().join("roles/web")).unwrap();
    fs::write(dir.path().join("debrole.toml"), debrole_toml("")).unwrap();
    fs::write(dir.path().join("roles/web.toml"), WEB).unwrap();
    fs::write(dir.path().join("roles/web/motd"), "Hello\n").unwrap();
    dir
}

const WEB: &str = "summary = \"Web\"\n[[file]]\npath = \"/etc/motd\"\nsource = \"motd\"\n";

/// The tree is refused with this code, and with nothing else.
#[track_caller]
fn refused(root: &Path, code: &str) -> Vec<Diagnostic> {
    let (accepted, diagnostics, _) = check(root);
    let codes: Vec<&str> = diagnostics.iter().map(|d| d.rule.code).collect();
    assert!(!accepted && !codes.is_empty() && codes.iter().all(|c| *c == code), "{diagnostics:#?}");
    assert!(diagnostics.iter().all(|d| !d.help.is_empty() && (d.path.is_some() || d.primary.is_some())));
    diagnostics
}

#[track_caller]
fn accepted(root: &Path) {
    let (accepted, diagnostics, _) = check(root);
    assert!(accepted && diagnostics.is_empty(), "{diagnostics:#?}");
}

#[test]
fn a_tree_is_found_from_below() {
    let dir = tree();
    assert_eq!(Tree::find_root(&dir.path().join("roles/web")).as_deref(), Some(dir.path()));
    assert_eq!(Tree::find_root(dir.path()).as_deref(), Some(dir.path()));
    assert_eq!(Tree::find_root(dir.path().parent().unwrap()), None);
    accepted(dir.path());
}

#[test]
fn no_debrole_toml() {
    let dir = tree();
    fs::remove_file(dir.path().join("debrole.toml")).unwrap();
    refused(dir.path(), "no-debrole-toml");
}

#[test]
fn a_toml_file_that_is_not_utf8() {
    let dir = tree();
    fs::write(dir.path().join("roles/web.toml"), b"# first line\nsummary = \"Caf\xe9\"\n").unwrap();
    let found = refused(dir.path(), "not-utf8");
    assert!(
        found[0].message.contains("roles/web.toml:2:15 is not UTF-8: there is a byte 0xe9"),
        "{}",
        found[0].message
    );
    fs::write(dir.path().join("roles/web.toml"), format!("# Café\n{WEB}")).unwrap();
    accepted(dir.path());
}

#[test]
fn a_toml_file_that_is_too_large() {
    let dir = tree();
    let path = dir.path().join("roles/web.toml");
    let most = MAX_TOML as usize - WEB.len();
    fs::write(&path, format!("{WEB}{}", "#".repeat(most))).unwrap();
    accepted(dir.path());
    fs::write(&path, format!("{WEB}{}", "#".repeat(most + 1))).unwrap();
    let found = refused(dir.path(), "file-too-large");
    assert!(found[0].message.contains("2 MiB, the limit is 1 MiB"), "{}", found[0].message);
}

#[test]
fn a_shipped_file_that_is_too_large_is_not_even_read() {
    let dir = tree();
    let file = File::create(dir.path().join("roles/web/motd")).unwrap();
    file.set_len(MAX_SHIPPED * 1000).unwrap();
    let started = Instant::now();
    let (tree, found) = Tree::read(dir.path());
    assert_eq!(found.iter().map(|d| d.rule.code).collect::<Vec<_>>(), ["file-too-large"]);
    assert!(tree.roles["web"].files.is_empty());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_named_pipe_does_not_stop_the_build() {
    let dir = tree();
    let pipe = dir.path().join("roles/web/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let found = refused(dir.path(), "special-file");
    assert!(found[0].message.contains("a named pipe"));
    fs::remove_file(&pipe).unwrap();
    accepted(dir.path());
}

#[test]
fn a_socket_and_a_pipe_behind_a_link() {
    let dir = tree();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("roles/web/socket")).unwrap();
    symlink("socket", dir.path().join("roles/web/link")).unwrap();
    assert_eq!(refused(dir.path(), "special-file").len(), 2);
}

#[test]
fn a_file_name_that_is_not_utf8() {
    let dir = tree();
    let name = OsStr::from_bytes(b"caf\xe9.conf");
    fs::write(dir.path().join("roles/web").join(name), "x").unwrap();
    refused(dir.path(), "file-name-not-utf8");
    fs::remove_file(dir.path().join("roles/web").join(name)).unwrap();
    accepted(dir.path());
}

#[test]
fn too_many_files() {
    let dir = tree();
    for i in 0..=MAX_ENTRIES {
        fs::write(dir.path().join(format!("roles/web/f{i}")), "").unwrap();
    }
    let (_, found) = Tree::read(dir.path());
    assert_eq!(found.iter().map(|d| d.rule.code).collect::<Vec<_>>(), ["too-many-files"]);
}

#[test]
fn links_that_double_at_every_level_are_followed_only_so_far() {
    let dir = tree();
    let web = dir.path().join("roles/web");
    for i in 0..40 {
        fs::create_dir(web.join(format!("d{i}"))).unwrap();
        if i > 0 {
            symlink(format!("../d{}", i - 1), web.join(format!("d{i}/a"))).unwrap();
            symlink(format!("../d{}", i - 1), web.join(format!("d{i}/b"))).unwrap();
        }
    }
    let (_, found) = Tree::read(dir.path());
    let codes: Vec<&str> = found.iter().map(|d| d.rule.code).collect();
    assert_eq!(codes, ["too-many-files"]);
}

/// Runs `f` where file permissions count: root may read everything, so its thread becomes somebody else. (The system
/// call is for one thread; the C library's function of this name would change all.)
fn without_privileges<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).start_handler(|_| {
        if rustix::process::geteuid().is_root() {
            // SAFETY: takes three numbers and touches no memory.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
        }
    });
    pool.build().unwrap().install(f)
}

#[test]
fn files_and_folders_that_may_not_be_read() {
    for path in ["roles/web.toml", "roles/web/motd", "roles/web", "roles", "debrole.toml"] {
        let dir = tree();
        let whole = dir.path().join(path);
        let mode = fs::metadata(&whole).unwrap().permissions();
        fs::set_permissions(&whole, Permissions::from_mode(0o000)).unwrap();
        let (_, found) = without_privileges(|| Tree::read(dir.path()));
        fs::set_permissions(&whole, mode).unwrap();
        let codes: Vec<&str> = found.iter().map(|d| d.rule.code).collect();
        assert_eq!(codes, ["unreadable-file"], "{path}: {found:#?}");
        assert!(found[0].message.contains("permission denied"), "{}", found[0].message);
        accepted(dir.path());
    }
}

#[test]
fn a_directory_where_a_file_belongs() {
    let dir = tree();
    fs::remove_file(dir.path().join("debrole.toml")).unwrap();
    fs::create_dir(dir.path().join("debrole.toml")).unwrap();
    refused(dir.path(), "unreadable-file");
}

#[test]
fn a_template_that_is_not_text() {
    let dir = tree();
    fs::write(dir.path().join("roles/web/motd"), b"\x89PNG\r\n\x1a\n\0").unwrap();
    accepted(dir.path());
    fs::write(dir.path().join("roles/web.toml"), format!("{WEB}template = true\n")).unwrap();
    refused(dir.path(), "template-not-text");
}

#[test]
fn bytes_and_the_executable_bit_are_kept() {
    let dir = tree();
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(dir.path().join("roles/web/motd"), &bytes).unwrap();
    fs::set_permissions(dir.path().join("roles/web/motd"), Permissions::from_mode(0o755)).unwrap();
    let (tree, found) = Tree::read(dir.path());
    assert!(found.is_empty());
    let file = &tree.roles["web"].files[Path::new("motd")];
    assert_eq!((&file.bytes[..], file.executable, file.text), (&bytes[..], true, None));
}

#[test]
fn a_role_that_could_not_be_read_is_not_unknown_as_well() {
    let dir = tree();
    fs::write(dir.path().join("roles/base.toml"), b"\xff").unwrap();
    fs::write(dir.path().join("roles/web.toml"), format!("includes = [\"base\"]\n{WEB}")).unwrap();
    refused(dir.path(), "not-utf8");
}
