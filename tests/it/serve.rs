//! The web server: what it shows, what it hides, and what it tells caches.

use crate::fleet::{package_set, publish};
use debrole::repo::publish::Now;
use debrole::serve::{Access, Running, Server};
use debrole::sign::testing::EphemeralKey;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

const T: i64 = 1_793_000_000;

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// One request as written: nothing is normalised on the way, as a hostile client would not.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("headers");
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: all[end + 4..].to_vec() }
}

pub fn serve(directory: &Path) -> Running {
    let addresses = ["127.0.0.1:0".parse().unwrap()];
    Server::bind(directory, &addresses, Arc::new(|_: &Access| {})).unwrap().start().unwrap()
}

fn repository() -> (tempfile::TempDir, EphemeralKey) {
    let key = EphemeralKey::new(None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), package_set(0, 2), &key.signer, Now::Supplied(T));
    (dir, key)
}

#[test]
fn files_ranges_and_heads() {
    let (dir, _key) = repository();
    let server = serve(dir.path());
    let address = server.addresses()[0];
    let file = std::fs::read(dir.path().join("dists/bookworm/InRelease")).unwrap();

    let whole = ask(address, "GET", "/dists/bookworm/InRelease", "");
    assert_eq!((whole.status, &whole.body), (200, &file));
    assert_eq!(whole.headers["content-length"], file.len().to_string());
    assert_eq!(whole.headers["content-type"], "text/plain; charset=utf-8");
    let head = ask(address, "HEAD", "/dists/bookworm/InRelease", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], file.len().to_string());

    let part = ask(address, "GET", "/dists/bookworm/InRelease", "Range: bytes=10-19\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &file[10..20]));
    assert_eq!(part.headers["content-range"], format!("bytes 10-19/{}", file.len()));
    let beyond = ask(address, "GET", "/dists/bookworm/InRelease", "Range: bytes=999999-\r\n");
    assert_eq!(beyond.status, 416);

    let post = ask(address, "POST", "/dists/bookworm/InRelease", "Content-Length: 0\r\n");
    assert_eq!((post.status, post.headers["allow"].as_str()), (405, "GET, HEAD"));

    let page = ask(address, "GET", "/", "");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("/dists/trixie/InRelease") && page.contains("/pg-archive-keyring-bookworm.deb"), "{page}");
}

#[test]
fn caches_are_told_the_truth() {
    let (dir, key) = repository();
    let server = serve(dir.path());
    let address = server.addresses()[0];
    let manifest = debrole::repo::published(dir.path()).unwrap().unwrap();
    let hash = &manifest.suites.values().next().unwrap()["main/binary-amd64/Packages.xz"].sha256;
    let cache = |path: &str| ask(address, "GET", path, "").headers["cache-control"].clone();
    assert_eq!(cache(&format!("/{}", manifest.packages[0].filename)), "public, max-age=31536000, immutable");
    assert_eq!(
        cache(&format!("/dists/bookworm/main/binary-amd64/by-hash/SHA256/{hash}")),
        "public, max-age=31536000, immutable"
    );
    for path in ["/dists/bookworm/InRelease", "/dists/manifest.json", "/pg-archive-keyring-trixie.deb", "/"] {
        assert_eq!(cache(path), "max-age=60, must-revalidate", "{path}");
    }
    assert_eq!(cache("/pool/no/such_1_all.deb"), "no-store");

    // If-Modified-Since across a generation switch: the new file is always newer.
    let first = ask(address, "GET", "/dists/bookworm/InRelease", "");
    let since = format!("If-Modified-Since: {}\r\n", first.headers["last-modified"]);
    assert_eq!(ask(address, "GET", "/dists/bookworm/InRelease", &since).status, 304);
    publish(dir.path(), package_set(1, 2), &key.signer, Now::Supplied(T));
    let second = ask(address, "GET", "/dists/bookworm/InRelease", &since);
    assert_eq!(second.status, 200);
    assert_ne!(second.body, first.body);
    assert_eq!(second.headers["last-modified"], "Mon, 26 Oct 2026 07:33:21 GMT");
}

#[test]
fn nothing_is_served_that_nobody_should_see() {
    let (dir, key) = repository();
    let root = dir.path();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::fs::write(root.join("plain"), "plain").unwrap();
    symlink(root.join("plain"), root.join("inside")).unwrap();
    symlink(outside.path().join("secret"), root.join("leak")).unwrap();
    symlink(outside.path(), root.join("leaky")).unwrap();
    std::fs::write(root.join(".hidden"), "hidden").unwrap();
    symlink(".hidden", root.join("shown")).unwrap();
    std::fs::create_dir_all(root.join("keys")).unwrap();
    // A whole GnuPG home below the directory, and one that a symlink leads to.
    let copied = std::process::Command::new("cp").args(["-r"]).arg(key.path()).arg(root.join("keys/private")).status();
    assert!(copied.unwrap().success());
    assert!(root.join("keys/private/private-keys-v1.d").is_dir() && root.join("keys/private/pubring.kbx").is_file());
    symlink("keys/private/pubring.kbx", root.join("ring")).unwrap();

    let server = serve(root);
    let address = server.addresses()[0];
    let status = |path: &str| ask(address, "GET", path, "").status;
    for path in
        ["/plain", "/inside", "/dists/bookworm/InRelease", "/dists/bookworm/%49nRelease", "//dists//bookworm/InRelease"]
    {
        assert_eq!(status(path), 200, "{path}");
    }
    let secret_key = std::fs::read_dir(root.join("keys/private/private-keys-v1.d")).unwrap().next().unwrap().unwrap();
    for path in [
        "/leak",
        "/leaky/secret",
        "/.hidden",
        "/shown",
        "/.lock",
        "/ring",
        "/keys/private/gpg.conf",
        "/keys/private/pubring.kbx",
        &format!("/keys/private/private-keys-v1.d/{}", secret_key.file_name().display()),
        "/generations/1/manifest.json",
        "//generations/1/manifest.json",
        "/by-hash/SHA256",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/dists/../plain",
        "/dists/..%2fplain",
        "//etc/passwd",
        "/plain/",
        "/dists",
        "/dists/",
        "/plain%00",
        "/plain%",
        "/no-such",
    ] {
        assert_eq!(status(path), 404, "{path}");
    }
}

#[test]
fn what_is_asked_is_logged_and_bad_addresses_are_told() {
    let (dir, _key) = repository();
    let log: Arc<Mutex<Vec<Access>>> = Arc::default();
    let into = log.clone();
    let addresses = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    let server = Server::bind(dir.path(), &addresses, Arc::new(move |a| into.lock().unwrap().push(a.clone()))).unwrap();
    let running = server.start().unwrap();
    for address in running.addresses() {
        assert_eq!(ask(*address, "GET", "/dists/manifest.json?x", "User-Agent: test/1\r\n").status, 200);
    }
    let taken = running.addresses()[0];
    let error = Server::bind(dir.path(), &[taken], Arc::new(|_| {})).map(drop).unwrap_err();
    assert_eq!(error.rule.code, "cannot-serve");
    let error = Server::bind(&dir.path().join("plain"), &[], Arc::new(|_| {})).map(drop).unwrap_err();
    assert_eq!(error.rule.code, "cannot-serve");

    drop(running);
    assert!(TcpStream::connect(taken).is_err(), "it has stopped");
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|a| a.status == 200 && a.path == "/dists/manifest.json" && a.bytes > Some(1000)));
    assert_eq!(log[1].user_agent.as_deref(), Some("test/1"));
    assert!(log[1].peer.is_ipv6());
}

/// Both ends of each connection are descriptors of this process.
fn many_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the struct that they are given.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(8192);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

#[test]
fn half_open_connections_keep_nobody_out() {
    many_descriptors();
    let (dir, _key) = repository();
    let server = serve(dir.path());
    let address = server.addresses()[0];
    let began = std::time::Instant::now();
    let mut half_open = Vec::new();
    for i in 0..700 {
        let mut stream = TcpStream::connect(address).unwrap();
        if i % 2 == 0 {
            stream.write_all(b"GET /dists/bookworm/InRelease HTTP/1.1\r\nHost:").unwrap();
        }
        half_open.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(ask(address, "GET", "/dists/bookworm/InRelease", "").status, 200);
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    // And the server hangs up on those that never ask.
    let last = half_open.last_mut().unwrap();
    last.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    let _ = last.read_to_end(&mut answer);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn who_takes_answers_drop_by_drop_keeps_nobody_out() {
    many_descriptors();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("small.deb"), "small").unwrap();
    std::fs::File::create(dir.path().join("large.deb")).unwrap().set_len(16 << 30).unwrap();
    let server = serve(dir.path());
    let address = server.addresses()[0];
    let done = std::sync::atomic::AtomicBool::new(false);
    let (full, is_full) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // More than there is room for; those that are hung up on come again. Each takes a little all the time, so
            // that none of them is ever stalled.
            let come = || {
                let mut stream = TcpStream::connect(address).ok()?;
                stream.set_nonblocking(true).ok()?;
                stream.write_all(b"GET /large.deb HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
                Some(stream)
            };
            let mut clients: Vec<Option<TcpStream>> = (0..600).map(|_| come()).collect();
            let mut some = vec![0; 256 << 10];
            let mut round = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for client in &mut clients {
                    let taken = client.as_mut().map(|stream| stream.read(&mut some));
                    match taken {
                        Some(Ok(n)) if n > 0 => {}
                        Some(Err(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                        _ => *client = come(),
                    }
                }
                round += 1;
                if round == 3 {
                    full.send(()).unwrap();
                }
            }
        });
        is_full.recv().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        stream.write_all(b"GET /small.deb HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let taken = stream.read_to_end(&mut answer);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(taken.is_ok() && answer.ends_with(b"small"), "{taken:?}");
    });
}
