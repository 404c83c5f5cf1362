//! A directory for one copy of a tree: made with its process's number in its name, so that what a killed test run
//! left behind is known for what it is and cleared by the next one.

use super::cache::cache_directory;
use super::command::sh;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A tree is written to in memory where so many bytes of it are there: three tests with three machines each, and the
/// compiler beside them.
const PLENTY: u64 = 10 << 30;

/// What one tree can have written to it in memory: a machine that goes from bookworm to trixie gets along with it.
const MOST_WRITTEN: &str = "6g";

static COUNT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A word that nothing else on this machine uses now: `<process>-<number>`.
pub fn unique() -> String {
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A directory below the cache that goes, mounts first, when this does.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn new() -> Scratch {
        SWEEP.call_once(sweep);
        let path = scratch_directory().join(unique());
        std::fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Scratch { path }
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// `source` as an overlay at `<scratch>/root`, or a plain copy of it where overlays can't be had. What is written
    /// to it is kept in memory while there is plenty: of the control machines' 277 s that spared 47, a third of the
    /// kernel's time.
    pub fn copy_of(&self, source: &Path) -> PathBuf {
        let [root, written] = ["root", "written"].map(|directory| {
            let path = self.path.join(directory);
            std::fs::create_dir(&path).expect("a fresh directory");
            path
        });
        if memory_available() >= PLENTY {
            // Where it can't be mounted, the directory below serves as well.
            mount("tmpfs", &format!("size={MOST_WRITTEN},mode=0755"), &written);
        }
        let [upper, work] = ["upper", "work"].map(|directory| {
            let path = written.join(directory);
            std::fs::create_dir(&path).expect("a fresh directory");
            path
        });
        // redirect_dir and index: without them a rename of a lower directory gives EXDEV and hard links break.
        let options = format!(
            "lowerdir={},upperdir={},workdir={},redirect_dir=on,index=on",
            source.display(),
            upper.display(),
            work.display()
        );
        // Nobody reads this file system after a crash of the machine: volatile, nothing waits for the disk.
        if !mount("overlay", &format!("{options},volatile"), &root) && !mount("overlay", &options, &root) {
            sh(
                &format!("cp -a --reflink=auto '{}/.' '{}'", source.display(), root.display()),
                Duration::from_secs(300),
            );
        }
        root
    }
}

/// A file system without a device at `point`; whether it could be had.
fn mount(kind: &str, options: &str, point: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", kind, "debrole-test", "-o", options]).arg(point);
    mount.output().is_ok_and(|output| output.status.success())
}

/// Bytes of memory that programs can have before something is written to swap: MemAvailable of /proc/meminfo (proc(5)).
fn memory_available() -> u64 {
    let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

impl Drop for Scratch {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

fn scratch_directory() -> PathBuf {
    cache_directory().join("run")
}

/// Unmounts everything below `path`, deepest first, and deletes it. Never deletes through a mount.
fn clear(path: &Path) {
    let mounted = |path: &Path| -> Vec<PathBuf> {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut points: Vec<PathBuf> =
            table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from).collect();
        points.retain(|point| point.starts_with(path));
        points.sort();
        points
    };
    for point in mounted(path).iter().rev() {
        drop(Command::new("umount").arg("--lazy").arg(point).output());
    }
    if mounted(path).is_empty() {
        drop(Command::new("rm").args(["-rf", "--one-file-system"]).arg(path).output());
    }
}

/// Clears what processes that are no more left behind: containers, directories and network namespaces.
fn sweep() {
    let alive = |name: &str| {
        name.split('-').next().is_some_and(|process| Path::new("/proc").join(process).join("exe").exists())
    };
    for (cgroup, name) in super::boot::containers() {
        if !alive(&name) {
            super::boot::end(&cgroup);
        }
    }
    for entry in std::fs::read_dir(scratch_directory()).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(alive) {
            clear(&entry.path());
        }
    }
    for entry in std::fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(super::lab::NAMESPACE))
            && !alive(rest)
        {
            drop(Command::new("ip").args(["netns", "delete"]).arg(&name).output());
        }
    }
}
