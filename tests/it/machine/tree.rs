//! A copy of a base tree, and commands in it by chroot.

use super::cache::{self, NEXT_MOUNT, POOL_MOUNT, Release};
use super::command::{Outcome, run, sh};
use super::lab::Lab;
use super::mounts::Scratch;
use super::packages;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How long one command on a test machine may take.
pub const LIMIT: Duration = Duration::from_secs(900);

/// What commands on test machines get as their environment, and nothing else.
pub const ENVIRONMENT: &[&str] = &[
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
];

/// What policy-rc.d says about starting services (invoke-rc.d(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// There is no policy-rc.d: they start, where there is anything to start them.
    Allowed,
    /// 101: they do not.
    Denied,
}

/// A machine's file system, writable, as long as it lives. Without [`Tree::join`], its commands have a loopback
/// interface only.
#[derive(Debug)]
pub struct Tree {
    scratch: Scratch,
    root: PathBuf,
    release: Release,
    pool: Option<PathBuf>,
    next: Option<PathBuf>,
    lab: Option<Arc<Lab>>,
}

/// What is in /dev of each tree. It is made once and copied by one program: there are thousands of commands.
const DEVICES: &str = r#"
set -e
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty .
mkdir pts shm
chmod 1777 shm
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
"#;

static MADE_DEVICES: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    sh(&format!("cd '{}'; {DEVICES}", scratch.path().display()), Duration::from_secs(10));
    scratch
});

/// In namespaces of its own: what is mounted or started here is gone when the command ends.
const CHROOT: &str = r#"
set -e
root=$1 devices=$2 pool=$3 text=$4
shift 4
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755,nosuid tmpfs "$root/dev"
cp -a "$devices/." "$root/dev/"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
[ -z "$pool" ] || mount -o bind,ro "$pool" "$root/mnt/debian"
if [ -n "${DEBROLE_COVERAGE-}" ]; then
    mkdir "$root/dev/coverage"
    mount --bind "$DEBROLE_COVERAGE" "$root/dev/coverage"
    cp "$root/usr/bin/dash" "$root/dev/dash"
    mount --bind "$DEBROLE_COVERAGE/sh" "$root/usr/bin/dash"
fi
[ ! -s "$root/etc/hostname" ] || hostname "$(cat "$root/etc/hostname")"
[ -e /sys/class/net/lo ] && ip link set lo up
cd /
exec chroot "$root" env -i "$@" sh -c "$text"
"#;

impl Tree {
    /// A copy of the base tree: a minimal Debian without apt sources.
    pub fn new(release: Release) -> Tree {
        Tree::copy(release, &cache::base_tree(release))
    }

    /// A copy of the client's tree (bookworm), with curl, git, ssh and psql.
    pub fn client() -> Tree {
        Tree::copy(Release::Bookworm, &cache::client_tree())
    }

    /// A copy of a tree in which what the role `base` needs of Debian's is installed already, as dependencies: for tests of
    /// something else, since it takes a processor seven seconds. Its only SSH host key is a new Ed25519 one.
    pub fn furnished(release: Release) -> Tree {
        let packages = packages::base(release);
        let pool = cache::pool(release, &packages::installations(release));
        let base = cache::furnished_tree(release, &pool, &packages, |root| {
            let tree = Tree::new(release).with_debian();
            let names = packages.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            tree.services(Services::Denied);
            tree.ok(&format!("apt-get -y install {names} && apt-mark auto {names} && apt-get clean"));
            tree.services(Services::Allowed);
            sh(&format!("cp -a '{}/.' '{}'", tree.root.display(), root.display()), Duration::from_secs(300));
        });
        let tree = Tree::copy(release, &base);
        let key = tree.path("/etc/ssh/ssh_host_ed25519_key");
        sh(&format!("ssh-keygen -q -t ed25519 -N '' -C '' -f '{}'", key.display()), Duration::from_secs(10));
        tree
    }

    fn copy(release: Release, base: &Path) -> Tree {
        let scratch = Scratch::new();
        let root = scratch.copy_of(base);
        Tree { scratch, root, release, pool: None, next: None, lab: None }
    }

    /// With the Debian packages that roles need as its apt source (`file:`, signed), and `apt-get update` done.
    pub fn with_debian(mut self) -> Tree {
        self.pool = Some(cache::pool(self.release, &packages::installations(self.release)));
        let source = format!(
            "Types: deb\nURIs: file:{POOL_MOUNT}\nSuites: {}\nComponents: main\nSigned-By: {POOL_MOUNT}/key.asc\n",
            self.release.codename()
        );
        self.write("/etc/apt/sources.list.d/debian.sources", &source);
        self.ok("apt-get -qq update");
        self
    }

    /// The same for a machine that is to be upgraded from bookworm to trixie, with these packages installed: what it
    /// gets is at /mnt/debian-trixie, the source has to be turned to it.
    pub fn with_next_release(mut self, packages: &[&str]) -> Tree {
        let pool = cache::upgrade_pool(&packages.join(" "), || {
            let machine = Tree::new(Release::Bookworm).with_debian();
            machine.services(Services::Denied);
            machine.ok(&format!("apt-get -y install {}", packages.join(" ")));
            // A pool for less than that would stay in the cache, and have apt remove what it can't upgrade.
            for package in packages {
                machine.ok(&format!("test \"$(dpkg-query -W -f '${{db:Status-Status}}' {package})\" = installed"));
            }
            let status = cache::cache_directory().join("run").join(format!("status-{}", super::mounts::unique()));
            std::fs::copy(machine.path("/var/lib/dpkg/status"), &status).expect("the cache is writable");
            status
        });
        self.next = Some(pool);
        std::fs::create_dir_all(self.path(NEXT_MOUNT)).expect("the tree is writable");
        self
    }

    /// Its commands run in this network's namespace from now on.
    pub fn join(mut self, lab: &Arc<Lab>) -> Tree {
        self.lab = Some(Arc::clone(lab));
        self
    }

    pub fn release(&self) -> Release {
        self.release
    }

    /// The pools that are to be mounted, and where.
    pub(super) fn mounts(&self) -> Vec<(&Path, &'static str)> {
        let pools = [(&self.pool, POOL_MOUNT), (&self.next, NEXT_MOUNT)];
        pools.into_iter().filter_map(|(pool, at)| Some((pool.as_deref()?, at))).collect()
    }

    /// A directory beside the tree that goes with it.
    pub fn beside(&self) -> &Path {
        self.scratch.path()
    }

    /// Where a path of the machine is on the machine that the tests run on. (Absolute symlinks on the way lead out:
    /// use commands in the tree for what may be behind one.)
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes a file, with the directories that it needs.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("not the root")).expect("the tree is writable");
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Copies a file of the machine that the tests run on into the tree.
    #[track_caller]
    pub fn copy_in(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let from = from.as_ref();
        self.write(to, std::fs::read(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())));
    }

    /// Its names: /etc/hostname, and a line of /etc/hosts for each address.
    pub fn name(&self, fqdn: &str, hosts: &[(&str, &str)]) {
        self.write("/etc/hostname", format!("{}\n", fqdn.split('.').next().unwrap_or(fqdn)));
        let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
        text += &format!("127.0.1.1 {fqdn} {}\n", fqdn.split('.').next().unwrap_or(fqdn));
        for (address, names) in hosts {
            text += &format!("{address} {names}\n");
        }
        self.write("/etc/hosts", text);
    }

    /// Sets what policy-rc.d says.
    pub fn services(&self, services: Services) {
        let path = self.path("/usr/sbin/policy-rc.d");
        match services {
            Services::Allowed => drop(std::fs::remove_file(path)),
            Services::Denied => {
                self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("the tree is writable");
            }
        }
    }

    /// `sh -c TEXT` by chroot, in mount, process, UTS and network namespaces of its own, with stdin at /dev/null. What
    /// it starts in the background ends with it.
    pub fn run(&self, text: &str) -> Outcome {
        self.run_with(text, None)
    }

    /// [`Tree::run`] with this as its standard input.
    pub fn run_with(&self, text: &str, input: Option<&[u8]>) -> Outcome {
        let mut command = match &self.lab {
            None => Command::new("unshare"),
            Some(lab) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", lab.name(), "unshare"]);
                inside
            }
        };
        command.args(["--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--uts", "--ipc"]);
        if self.lab.is_none() {
            command.arg("--net");
        }
        command.args(["sh", "-c", CHROOT, "sh"]).arg(&self.root).arg(MADE_DEVICES.path());
        command.arg(self.pool.as_deref().unwrap_or(Path::new(""))).arg(text).args(ENVIRONMENT);
        run(&mut command, input, LIMIT)
    }

    /// [`Tree::run`]; the test fails unless it succeeds. What it wrote to stdout.
    #[track_caller]
    pub fn ok(&self, text: &str) -> String {
        self.run(text).ok(text)
    }

    /// Copies the tree of another one, as it is now: a machine and its control machine begin alike.
    pub fn twin(&self) -> Tree {
        let scratch = Scratch::new();
        let root = scratch.path().join("root");
        sh(&format!("cp -a '{}' '{}'", self.root.display(), root.display()), Duration::from_secs(300));
        Tree {
            scratch,
            root,
            release: self.release,
            pool: self.pool.clone(),
            next: self.next.clone(),
            lab: self.lab.clone(),
        }
    }
}
