//! The repository over HTTP/1.1: enough for a small site, for tests and for a first try. Ranges and If-Modified-Since
//! are tower-http's; what may be seen, and for how long it may be cached, is decided here.
//!
//! Served are files below the directory, through symlinks that stay in it: `dists` is one. Never served: what is
//! outside, names that begin with a dot (locks, temporary files, version control), `generations/` and `by-hash/`
//! under their own names, and whatever is in a directory that GnuPG keeps private keys in.

use crate::diagnostics::{Diagnostic, rules};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, oneshot};
use tower_http::services::ServeFile;

/// A file under a name that says what is in it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A file that the next publish replaces.
const SHORTLY: &str = "max-age=60, must-revalidate";
/// A client whose request takes longer to arrive is hung up on.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that has taken nothing of its answer for so long makes room for others.
const STALLED: Duration = Duration::from_secs(30);
/// A client that came, or had its last answer, so short a time ago is about to ask: it is not taken for an idle one.
const ABOUT_TO_ASK: Duration = Duration::from_secs(1);
/// How long answers under way may take after the signal to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// So many clients at once. One more, and the one that has been idle for longest is hung up on: half-open connections
/// keep nobody out. Only where all of them are being served it has to wait, unless one address has more than half of them:
/// that one gives up an answer, so that no single client that takes its answers drop by drop keeps others out.
const CONNECTIONS: usize = 512;
/// What is kept of one connection's request, and of an answer that its client does not take, in bytes each.
const BUFFER: usize = 64 << 10;

/// One answered request, for the access log.
#[derive(Debug, Clone)]
pub struct Access {
    pub peer: SocketAddr,
    pub method: String,
    /// As it was asked for, still encoded.
    pub path: String,
    pub status: u16,
    /// Of the answer's body, where it has a length.
    pub bytes: Option<u64>,
    pub user_agent: Option<String>,
}

/// Takes a line of the access log; called from several threads.
pub type Log = Arc<dyn Fn(&Access) + Send + Sync>;

/// A server that listens already.
pub struct Server {
    site: Arc<Site>,
    listeners: Vec<TcpListener>,
}

struct Site {
    /// Canonical.
    root: PathBuf,
    log: Log,
}

impl Server {
    /// Listens on each of the addresses (port 0: any free one).
    pub fn bind(directory: &Path, addresses: &[SocketAddr], log: Log) -> Result<Server, Diagnostic> {
        let cannot = |message: String| Diagnostic::new(&rules::cannot_serve::RULE, message);
        let root = directory.canonicalize().ok().filter(|root| root.is_dir()).ok_or_else(|| {
            cannot(format!("{} is not a directory", directory.display()))
                .help("build first (`debrole build`), or name the directory with --out")
        })?;
        let mut listeners = Vec::new();
        for address in addresses {
            let listener = TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .map_err(|e| cannot(format!("can't listen on {address}: {e}")).help("name another address or port"))?;
            listeners.push(listener);
        }
        Ok(Server { site: Arc::new(Site { root, log }), listeners })
    }

    /// Where it listens, with the real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until SIGTERM or SIGINT, then finishes what is under way.
    pub fn run(self) -> io::Result<()> {
        runtime()?.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            self.until(stop).await
        })
    }

    /// Serves in a thread of its own until the result is dropped.
    pub fn start(self) -> io::Result<Running> {
        let addresses = self.addresses();
        let runtime = runtime()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("serve".into()).spawn(move || {
            runtime.block_on(async {
                let stopped = async {
                    // An error is a sender that was dropped: a reason to stop too.
                    let _ = stopped.await;
                };
                self.until(stopped).await
            })
        })?;
        Ok(Running { addresses, stop: Some(stop), thread: Some(thread) })
    }

    async fn until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let graceful = Arc::new(GracefulShutdown::new());
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let open = Arc::new(Clients::default());
        let mut accepting = tokio::task::JoinSet::new();
        for listener in self.listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let (site, room, graceful, open) = (self.site.clone(), room.clone(), graceful.clone(), open.clone());
            accepting.spawn(async move {
                loop {
                    let Ok((stream, peer)) = listener.accept().await else {
                        // Out of descriptors, most likely: others have to finish first.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    let permit = loop {
                        if let Ok(permit) = room.clone().try_acquire_owned() {
                            break permit;
                        }
                        open.hang_up_on_one();
                        let waited = tokio::time::timeout(Duration::from_secs(1), room.clone().acquire_owned()).await;
                        if let Ok(Ok(permit)) = waited {
                            break permit;
                        }
                    };
                    let (number, client) = open.add(peer.ip());
                    let site = site.clone();
                    let served = client.clone();
                    let service = hyper::service::service_fn(move |request| {
                        let (site, busy) = (site.clone(), served.serve());
                        async move {
                            let answer = site.answer(peer, request).await;
                            // Until the last of it is taken, or the client has gone.
                            let answer = answer.map(|body| {
                                body.map_frame(move |frame| {
                                    busy.goes_on();
                                    frame
                                })
                                .boxed_unsync()
                            });
                            Ok::<_, std::convert::Infallible>(answer)
                        }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEADER_TIMEOUT)
                        .max_buf_size(BUFFER)
                        .serve_connection(TokioIo::new(stream), service);
                    let connection = graceful.watch(connection);
                    let open = open.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            // A client that hangs up in the middle is its own affair.
                            _ = connection => {}
                            _ = client.hang_up.notified() => {}
                        }
                        open.remove(number);
                        drop(permit);
                    });
                }
            });
        }
        stop.await;
        accepting.shutdown().await;
        if let Some(graceful) = Arc::into_inner(graceful) {
            let _ = tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await;
        }
        Ok(())
    }
}

/// The clients that are connected.
struct Clients {
    began: Instant,
    open: Mutex<BTreeMap<u64, Arc<Client>>>,
}

/// One connection.
struct Client {
    address: IpAddr,
    began: Instant,
    /// Answers under way: none while it waits for a request, or for the rest of one.
    answers: AtomicUsize,
    /// When it last came, asked or took something: milliseconds after `began`.
    active: AtomicU64,
    hang_up: Notify,
}

/// Lives as long as an answer is under way.
struct Busy(Arc<Client>);

impl Default for Clients {
    fn default() -> Self {
        Clients { began: Instant::now(), open: Mutex::default() }
    }
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, address: IpAddr) -> (u64, Arc<Client>) {
        let client = Arc::new(Client {
            address,
            began: self.began,
            answers: AtomicUsize::new(0),
            active: AtomicU64::new(0),
            hang_up: Notify::new(),
        });
        client.touch();
        let mut open = self.lock();
        let number = open.last_key_value().map_or(0, |(last, _)| last + 1);
        open.insert(number, client.clone());
        (number, client)
    }

    fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Makes room: by the client that has waited for longest without a request, else by the one that has taken nothing
    /// of its answer for longest, if either is long, else by that one of the address that has more than half of all
    /// places, else by whoever has not asked yet.
    fn hang_up_on_one(&self) {
        let mut open = self.lock();
        let now = self.began.elapsed().as_millis() as u64;
        let oldest = |busy: bool| {
            let those = open.iter().filter(|(_, client)| (client.answers.load(Ordering::Relaxed) > 0) == busy);
            those.map(|(number, client)| (client.active.load(Ordering::Relaxed), *number)).min()
        };
        let longer_than =
            |client: &(u64, u64), limit: Duration| now.saturating_sub(client.0) > limit.as_millis() as u64;
        let idle = || oldest(false).filter(|client| longer_than(client, ABOUT_TO_ASK));
        let stalled = || oldest(true).filter(|client| longer_than(client, STALLED));
        let greedy = || {
            let mut places = BTreeMap::<IpAddr, (usize, (u64, u64))>::new();
            for (number, client) in open.iter() {
                let this = (client.active.load(Ordering::Relaxed), *number);
                let (count, first) = places.entry(client.address).or_insert((0, this));
                (*count, *first) = (*count + 1, this.min(*first));
            }
            places.into_values().find(|(count, _)| *count > CONNECTIONS / 2).map(|(_, first)| first)
        };
        let next = idle().or_else(stalled).or_else(greedy).or_else(|| oldest(false));
        if let Some(client) = next.and_then(|(_, number)| open.remove(&number)) {
            client.hang_up.notify_one();
        }
    }
}

impl Client {
    fn touch(&self) {
        self.active.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn serve(self: &Arc<Self>) -> Busy {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Busy(self.clone())
    }
}

impl Busy {
    fn goes_on(&self) {
        self.0.touch();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// A server in another thread; stops, and waits for what is under way, when dropped.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
}

impl Running {
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
    /// `http://127.0.0.1:8080` of the first address.
    pub fn uri(&self) -> String {
        self.addresses.first().map_or_else(String::new, |address| format!("http://{address}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What `--listen` takes: `127.0.0.1:8080`, `[::1]:8080`, or a port alone, which means this machine only.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse()
        .map_err(|_| format!("{text:?} is not an address and a port, such as 127.0.0.1:8080, [::]:8080 or 8080 alone"))
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Site {
    async fn answer(self: Arc<Self>, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let user_agent =
            request.headers().get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
        let response = self.clone().respond(request).await;
        let bytes =
            response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|l| l.parse().ok());
        (self.log)(&Access { peer, method, path, status: response.status().as_u16(), bytes, user_agent });
        response
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let path = request.uri().path().to_owned();
        let site = self.clone();
        let found = tokio::task::spawn_blocking(move || site.find(&path)).await.ok().flatten();
        match found {
            Some(Found::File { real, asked }) => {
                let Ok(response) = ServeFile::new(&real).try_call(request).await else {
                    return text(StatusCode::INTERNAL_SERVER_ERROR, "The file can't be read.\n");
                };
                if response.status() == StatusCode::NOT_FOUND {
                    return not_found();
                }
                let mut response = response.map(|body| body.map_err(io::Error::other).boxed_unsync());
                let cache = if lasts_for_ever(&asked) { FOR_EVER } else { SHORTLY };
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
                if let Some(kind) = content_type(&asked) {
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                }
                response
            }
            Some(Found::Index(page)) => {
                let mut response = text(StatusCode::OK, page);
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(SHORTLY));
                response
            }
            None => not_found(),
        }
    }

    /// What is at a path of a URL; None for what there is not, and for what nobody may see.
    fn find(&self, url_path: &str) -> Option<Found> {
        let decoded = percent_decode(url_path.strip_prefix('/')?)?;
        if decoded.is_empty() {
            let own = self.root.join("index.html");
            return Some(if own.is_file() {
                Found::File { real: own, asked: "index.html".into() }
            } else {
                Found::Index(self.index())
            });
        }
        if decoded.ends_with('/') {
            return None;
        }
        // A doubled slash is one, as for every web server: debmirror asks for //dists.
        let names: Vec<&str> = decoded.split('/').filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| name.starts_with('.') || name.contains('\0'))
            || matches!(names.first(), Some(&("generations" | "by-hash")))
        {
            return None;
        }
        let asked = names.join("/");
        let path = self.root.join(&asked);
        // Resolved once: should the generation change now, this answer is still of one piece.
        let real = path.canonicalize().ok()?;
        let inside = real.strip_prefix(&self.root).ok()?;
        let mut directory = self.root.clone();
        for component in inside.components() {
            let Component::Normal(name) = component else { return None };
            if name.as_encoded_bytes().starts_with(b".") || directory.join("private-keys-v1.d").exists() {
                return None;
            }
            directory.push(name);
        }
        real.is_file().then_some(Found::File { real, asked })
    }

    /// A page for people: which suites there are, and the packages to join with.
    fn index(&self) -> String {
        let names = |directory: &Path, keep: &dyn Fn(&Path, &str) -> bool| {
            let mut names: Vec<String> = std::fs::read_dir(directory)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| !name.starts_with('.') && keep(&directory.join(name), name))
                .collect();
            names.sort();
            names
        };
        let suites = names(&self.root.join("dists"), &|path, _| path.join("InRelease").is_file());
        let keyrings = names(&self.root, &|path, name| name.ends_with(".deb") && path.is_file());
        let mut page = String::from(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>apt repository</title>\n\
             <h1>apt repository</h1>\n",
        );
        if suites.is_empty() {
            page.push_str("<p>Nothing has been published yet.</p>\n");
        }
        let mut list = |title: &str, items: &[String], target: &dyn Fn(&str) -> String| {
            if items.is_empty() {
                return;
            }
            page.push_str(&format!("<h2>{title}</h2>\n<ul>\n"));
            for item in items {
                page.push_str(&format!("<li><a href=\"{}\">{}</a></li>\n", escape(&target(item)), escape(item)));
            }
            page.push_str("</ul>\n");
        };
        list("Suites", &suites, &|suite| format!("/dists/{suite}/InRelease"));
        list("To join", &keyrings, &|name| format!("/{name}"));
        page.push_str("</html>\n");
        page
    }
}

enum Found {
    File {
        real: PathBuf,
        /// Decoded, below the root.
        asked: String,
    },
    Index(String),
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // An error must not outlive its cause in somebody's cache.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "There is no such file.\n")
}

fn lasts_for_ever(path: &str) -> bool {
    path.starts_with("pool/") || path.contains("/by-hash/")
}

/// For names that have no ending by which tower-http could tell.
fn content_type(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "InRelease" | "Release" | "Packages" => Some("text/plain; charset=utf-8"),
        "Release.gpg" => Some("application/pgp-signature"),
        _ if name.ends_with(".asc") => Some("application/pgp-signature"),
        _ if name.ends_with(".deb") => Some("application/vnd.debian.binary-package"),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// None where the encoding is broken or the result is not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding() {
        assert_eq!(percent_decode("a%2Fb%20c").as_deref(), Some("a/b c"));
        for broken in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(parse_address("8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(parse_address(":8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(parse_address("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(parse_address("localhost").is_err());
    }
}
