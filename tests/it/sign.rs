//! The archive key: made, shown, judged; signatures that gpgv and sqv accept.

use crate::fleet::{agents, has_agent};
use debrole::diagnostics::Diagnostic;
use debrole::sign::Signer;
use debrole::sign::gpgme::GpgSigner;
use debrole::sign::home::Home;
use debrole::sign::key::{self, Init, KeyInfo};
use debrole::sign::testing::EphemeralKey;
use debrole::sign::verify::{Gpgv, Verifier};
use debrole::source::{FileId, Span, Spanned};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const DAY: i64 = 86_400;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn codes(errors: &[Diagnostic]) -> Vec<&'static str> {
    errors.iter().map(|d| d.rule.code).collect()
}

fn pinned(fingerprint: &str) -> Spanned<String> {
    Spanned::new(fingerprint.into(), Span::new(FileId(0), 0..1))
}

fn request(home: PathBuf) -> Init {
    Init {
        home,
        user_id: "Example archive key <root@example.org>".into(),
        days: key::DEFAULT_DAYS,
        offline_primary: None,
        passphrase: false,
    }
}

/// A home with keys as gpg itself makes them, for kinds that `key init` never would.
struct Gpg {
    dir: tempfile::TempDir,
}

impl Gpg {
    fn new() -> Gpg {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Gpg { dir }
    }
    fn path(&self) -> &Path {
        self.dir.path()
    }
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(self.path())
            .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
    fn generate(&self, algorithm: &str, usage: &str, expires: &str) -> KeyInfo {
        self.run(&["--quick-gen-key", &format!("{algorithm} {expires} <root@example.org>"), algorithm, usage, expires]);
        let home = Home::open(self.path()).unwrap();
        key::secret_keys(&home).unwrap().into_iter().max_by_key(|k| k.primary().created).unwrap()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.path()).args(["--kill", "all"]).status();
    }
}

#[test]
fn a_new_key_signs_what_gpgv_and_sqv_accept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys/private");
    let info = key::init(&request(path.clone())).unwrap();
    assert_eq!(info.primary().algorithm, "ed25519");
    assert!(info.primary().can_sign && info.primary().can_certify && !info.offline_primary());
    let left = info.days_left(now()).unwrap() - i64::from(key::DEFAULT_DAYS);
    assert!((-1..=0).contains(&left));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(info.judge(now()).is_empty());
    // Never twice.
    assert_eq!(codes(&key::init(&request(path.clone())).unwrap_err()), ["key-exists"]);

    let chosen = key::choose(&path, None, now()).unwrap();
    assert_eq!(chosen.signer.fingerprints(), [info.fingerprint()]);
    let text = b"Origin: Example\n- dashes too\n";
    let public = chosen.signer.public_keys().unwrap();
    let (clear, detached) = (chosen.signer.clearsign(text).unwrap(), chosen.signer.detach(text).unwrap());
    let (text_file, clear_file, signature_file) =
        (dir.path().join("text"), dir.path().join("clear"), dir.path().join("signature"));
    std::fs::write(&text_file, text).unwrap();
    std::fs::write(&clear_file, &clear).unwrap();
    std::fs::write(&signature_file, &detached).unwrap();

    let gpgv = Gpgv::find(&public).unwrap().expect("gpgv is installed");
    gpgv.check(&clear_file, None).unwrap();
    gpgv.check(&signature_file, Some(&text_file)).unwrap();
    let keyring = dir.path().join("key.gpg");
    std::fs::write(&keyring, &public).unwrap();
    let sqv = Command::new("sqv").arg("--keyring").arg(&keyring).arg(&signature_file).arg(&text_file).output().unwrap();
    assert!(sqv.status.success(), "{}", String::from_utf8_lossy(&sqv.stderr));
    let packets = Command::new("gpg").arg("--list-packets").arg(&signature_file).output().unwrap();
    assert!(String::from_utf8_lossy(&packets.stdout).contains("digest algo 10"), "SHA-512");

    let verifier = Verifier::new(&public).unwrap();
    assert_eq!(verifier.detached(&detached, text).unwrap(), [info.fingerprint()]);
    assert_eq!(verifier.cleartext(&clear).unwrap(), text);
    assert!(verifier.detached(&detached, b"other").is_err());
    let stranger = EphemeralKey::new(None).unwrap();
    let stranger = Verifier::new(&stranger.signer.public_keys().unwrap()).unwrap();
    assert!(stranger.detached(&detached, text).unwrap_err().message.contains("not the archive key"));
    // What is changed after the signature is found by both.
    std::fs::write(&text_file, b"changed").unwrap();
    assert!(gpgv.check(&signature_file, Some(&text_file)).is_err());

    let armored = key::export_public(chosen.signer.home(), &chosen.signer.fingerprints()).unwrap();
    assert_eq!(armored.binary, public);
    assert!(armored.armored.starts_with(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"));
    Verifier::new(&armored.armored).unwrap().detached(&detached, text).unwrap();
}

#[test]
fn the_primary_key_may_live_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let file = dir.path().join("primary.asc");
    let offline = Init { offline_primary: Some(file.clone()), ..request(path.clone()) };
    let info = key::init(&offline).unwrap();
    assert!(info.offline_primary() && info.parts.len() == 2);
    assert!(!info.parts[0].secret && info.parts[0].can_certify && !info.parts[0].can_sign);
    assert!(info.parts[1].secret && info.parts[1].can_sign);
    assert_eq!(std::fs::read_dir(path.join("private-keys-v1.d")).unwrap().count(), 1, "only the subkey's half");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let chosen = key::choose(&path, Some(&pinned(info.fingerprint())), now()).unwrap();
    let signature = chosen.signer.detach(b"text").unwrap();
    let by = Verifier::new(&chosen.signer.public_keys().unwrap()).unwrap().detached(&signature, b"text").unwrap();
    assert_eq!(by, [info.parts[1].fingerprint.as_str()], "the subkey signed");

    // The file holds the whole key: from it, the expiry can be extended elsewhere.
    let elsewhere = Gpg::new();
    elsewhere.run(&["--import", file.to_str().unwrap()]);
    let whole = key::secret_keys(&Home::open(elsewhere.path()).unwrap()).unwrap();
    assert!(whole[0].parts.iter().all(|part| part.secret));
    // A file that is there is not written over.
    let again = Init { offline_primary: Some(file), ..request(dir.path().join("other")) };
    assert_eq!(codes(&key::init(&again).unwrap_err()), ["key-exists"]);
    assert!(!dir.path().join("other").exists());
}

#[test]
fn a_home_with_a_long_path_works() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x".repeat(60)).join("y".repeat(60)).join("private");
    assert!(path.as_os_str().len() > 120);
    key::init(&request(path.clone())).unwrap();
    let chosen = key::choose(&path, None, now()).unwrap();
    chosen.signer.clearsign(b"text\n").unwrap();
}

#[test]
fn no_agent_is_left_behind() {
    let key = EphemeralKey::new(None).unwrap();
    let home = key.path();
    key.signer.detach(b"x").unwrap();
    let [place] = &agents(&home)[..] else { panic!("{:?}", agents(&home)) };
    assert!(has_agent(place) && *place != home, "{place:?}");
    drop(key);
    // It is gone when the home is closed, not a moment later.
    assert!(!has_agent(place));
    assert!(!place.exists());
}

#[test]
fn an_agent_that_goes_with_another_debrole_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    key::init(&request(path.clone())).unwrap();
    // One that makes or changes keys has its agent in the home itself.
    let changing = Home::open_to_change(&path).unwrap();
    assert_eq!(key::secret_keys(&changing).unwrap().len(), 1);
    assert!(has_agent(&path));
    let [one, other] = [(); 2].map(|()| key::choose(&path, None, now()).unwrap());
    for signer in [&one.signer, &other.signer] {
        signer.detach(b"text").unwrap();
    }
    drop(changing);
    assert!(!has_agent(&path));
    one.signer.clearsign(b"text\n").unwrap();
    drop(one);
    other.signer.clearsign(b"text\n").unwrap();
    drop(other);
    assert!(agents(&path).is_empty());
}

#[test]
fn somebodys_own_agent_is_used_and_stays() {
    let gpg = Gpg::new();
    // gpg starts an agent for it, and leaves it there.
    gpg.generate("ed25519", "cert,sign", "1y");
    assert!(has_agent(gpg.path()));
    let chosen = key::choose(gpg.path(), None, now()).unwrap();
    chosen.signer.detach(b"text").unwrap();
    assert_eq!(agents(gpg.path()), [gpg.path()]);
    drop(chosen);
    assert!(has_agent(gpg.path()));
}

#[test]
fn what_gpg_writes_into_a_home_that_is_only_used_stays_away_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    key::init(&request(path.clone())).unwrap();
    let before = crate::fleet::snapshot(&path);
    let chosen = key::choose(&path, None, now()).unwrap();
    chosen.signer.clearsign(b"text\n").unwrap();
    chosen.signer.public_keys().unwrap();
    drop(chosen);
    assert_eq!(crate::fleet::snapshot(&path), before);
}

#[test]
fn a_standing_clock_makes_the_same_signature() {
    let key = EphemeralKey::new(Some(1_700_000_000)).unwrap();
    assert_eq!(key.info.primary().created, 1_700_000_000);
    let first = key.signer.clearsign(b"text\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(key.signer.clearsign(b"text\n").unwrap(), first);
}

#[test]
fn two_keys_sign_during_a_rotation() {
    let gpg = Gpg::new();
    let old = gpg.generate("ed25519", "cert,sign", "1y");
    gpg.run(&["--quick-gen-key", "new <root@example.org>", "nistp256", "cert,sign", "1y"]);
    let home = Home::open(gpg.path()).unwrap();
    let both: Vec<String> = key::secret_keys(&home).unwrap().iter().map(|k| k.fingerprint().to_owned()).collect();
    assert_eq!(both.len(), 2);
    let signer = GpgSigner::new(home, both);
    let signature = signer.detach(b"text").unwrap();
    assert_eq!(Verifier::new(&signer.public_keys().unwrap()).unwrap().detached(&signature, b"text").unwrap().len(), 2);
    // A machine that knows only the old one is content.
    let only_old = GpgSigner::new(Home::open(gpg.path()).unwrap(), vec![old.fingerprint().to_owned()]);
    let known = Verifier::new(&only_old.public_keys().unwrap()).unwrap().detached(&signature, b"text").unwrap();
    assert_eq!(known, [old.fingerprint()]);
}

#[test]
fn which_key() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    assert_eq!(codes(&key::choose(&absent, None, now()).unwrap_err()), ["key-missing"]);

    let gpg = Gpg::new();
    assert_eq!(codes(&key::choose(gpg.path(), None, now()).unwrap_err()), ["key-missing"], "an empty home");
    let first = gpg.generate("ed25519", "cert,sign", "1y");
    assert!(key::choose(gpg.path(), None, now()).is_ok());
    gpg.run(&["--quick-gen-key", "second <root@example.org>", "ed25519", "cert,sign", "1y"]);
    assert_eq!(codes(&key::choose(gpg.path(), None, now()).unwrap_err()), ["key-ambiguous"]);
    let chosen = key::choose(gpg.path(), Some(&pinned(first.fingerprint())), now()).unwrap();
    assert_eq!(chosen.key.fingerprint(), first.fingerprint());
    let mismatch = key::choose(gpg.path(), Some(&pinned(&"A".repeat(40))), now()).unwrap_err();
    assert_eq!(codes(&mismatch), ["key-fingerprint-mismatch"]);
    assert!(mismatch[0].primary.is_some() && mismatch[0].notes[0].contains(first.fingerprint()));

    std::fs::set_permissions(gpg.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let open = key::choose(gpg.path(), Some(&pinned(first.fingerprint())), now()).unwrap_err();
    assert_eq!(codes(&open), ["key-home-permissions"]);
    std::fs::set_permissions(gpg.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_life_of_a_key_by_the_day() {
    let key = EphemeralKey::new(None).unwrap();
    let expires = key.info.expires().unwrap();
    let at = |days: i64| codes(&key.info.judge(expires - days * DAY));
    assert_eq!(at(key::WARN_DAYS), [""; 0]);
    assert_eq!(at(key::WARN_DAYS - 1), ["key-expires-soon"]);
    assert_eq!(at(key::REFUSE_DAYS), ["key-expires-soon"]);
    assert_eq!(at(key::REFUSE_DAYS - 1), ["key-expiring"]);
    assert_eq!(at(1), ["key-expiring"]);
    assert_eq!(at(0), ["key-expired"]);
    assert_eq!(at(-5), ["key-expired"]);
    let path = key.path();
    assert_eq!(codes(&key::choose(&path, None, expires + 1).unwrap_err()), ["key-expired"]);
    let soon = key::choose(&path, None, expires - 100 * DAY).unwrap();
    assert_eq!(codes(&soon.warnings), ["key-expires-soon"]);
}

#[test]
fn keys_that_apt_rejects() {
    for (algorithm, accepted) in
        [("rsa1024", false), ("dsa2048", false), ("brainpoolP256r1", false), ("rsa2048", true), ("nistp256", true)]
    {
        let gpg = Gpg::new();
        let info = gpg.generate(algorithm, "cert,sign", "1y");
        let result = key::choose(gpg.path(), None, now());
        match result {
            Ok(_) => assert!(accepted, "{algorithm}"),
            Err(errors) => {
                assert!(!accepted, "{algorithm}: {errors:?}");
                assert_eq!(codes(&errors), ["key-weak"], "{algorithm}");
                assert!(errors[0].message.contains(info.fingerprint()));
            }
        }
    }
}

#[test]
fn a_key_that_binds_itself_with_sha1() {
    let gpg = Gpg::new();
    gpg.run(&["--cert-digest-algo", "SHA1", "--quick-gen-key", "old <root@example.org>", "rsa2048", "cert,sign", "1y"]);
    let errors = key::choose(gpg.path(), None, now()).unwrap_err();
    assert_eq!(codes(&errors), ["key-weak"]);
    assert!(errors[0].message.contains("SHA-1"), "{}", errors[0].message);
    // Signed anew with SHA-512 it is accepted: the twin.
    let fingerprint = key::secret_keys(&Home::open(gpg.path()).unwrap()).unwrap()[0].fingerprint().to_owned();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    gpg.run(&["--cert-digest-algo", "SHA512", "--quick-set-expire", &fingerprint, "2y"]);
    assert!(key::choose(gpg.path(), None, now()).is_ok());
}

#[test]
fn revoked_and_without_a_secret_half() {
    let gpg = Gpg::new();
    let info = gpg.generate("ed25519", "cert,sign", "1y");
    let certificate = gpg.path().join("openpgp-revocs.d").join(format!("{}.rev", info.fingerprint()));
    // gpg writes it with a colon before the dashes, so that nobody imports it by mistake.
    let text = std::fs::read_to_string(&certificate).unwrap().replace(":-----BEGIN", "-----BEGIN");
    let ready = gpg.path().join("revoke.asc");
    std::fs::write(&ready, text).unwrap();
    gpg.run(&["--import", ready.to_str().unwrap()]);
    let errors = key::choose(gpg.path(), None, now()).unwrap_err();
    assert!(codes(&errors).contains(&"key-revoked"), "{errors:?}");

    // A key that can only certify, or whose signing half is elsewhere.
    let gpg = Gpg::new();
    gpg.generate("ed25519", "cert", "1y");
    assert_eq!(codes(&key::choose(gpg.path(), None, now()).unwrap_err()), ["key-secret-absent"]);
}

#[test]
fn a_home_that_can_not_be_made() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(codes(&key::init(&request(dir.path().join("file/home"))).unwrap_err()), ["signing-failed"]);
    assert!(key::init(&request(dir.path().join("home"))).is_ok());
}

#[test]
fn machines_must_have_the_key_that_signs() {
    let (old, new) = (EphemeralKey::new(None).unwrap(), EphemeralKey::new(None).unwrap());
    let [a, b] = [&old, &new].map(|key| key.signer.public_keys().unwrap());
    let both = [a.clone(), b.clone()].concat();
    let by = [old.info.fingerprint().to_owned()];
    let judge = |key: &EphemeralKey, keyring: &[u8], published: Option<&[u8]>| {
        key::judge_keyring(&key.signer, keyring, published, &by).err().map_or(Vec::new(), |errors| codes(&errors))
    };
    assert_eq!(judge(&old, &b, None), ["keyring-unsound"], "machines would get another key than the one that signs");
    assert_eq!(judge(&new, &b, Some(&a)), ["key-unknown-to-machines"], "replaced outright");
    assert_eq!(judge(&new, &both, Some(&a)), ["key-unknown-to-machines"], "too early");
    for (key, keyring, published) in [
        (&old, &a, None),
        (&old, &both, Some(&a)),
        (&new, &both, Some(&both)),
        (&new, &b, Some(&both)),
        (&old, &a, Some(&b)),
    ] {
        assert_eq!(judge(key, keyring, published.map(Vec::as_slice)), [""; 0]);
    }
}
