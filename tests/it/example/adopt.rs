//! `debrole host adopt`: an existing machine into the tree, by each way to look at it; and what was said would change
//! is what changes.

use super::fleet::{Fleet, Runs};
use crate::machine::{Need, Outcome, Release, Services, skip};
use debrole::adopt::{Facts, Found};
use std::io::Write;
use std::process::{Command, Stdio};

const JOBS: &str = r#"
summary = "Runs jobs"
depends = ["cron"]
[[file]]
path = "/etc/jobs.conf"
content = "level = 2\nname = {{ host.fqdn }}\n"
template = true
[[file]]
path = "/etc/jobs.key"
content = "key\n"
mode = "0600"
[[file]]
path = "/etc/jobs.new"
content = "new\n"
[[file]]
path = "/etc/jobs.same"
content = ""
[[symlink]]
path = "/etc/jobs.link"
target = "jobs.conf"
[[absent]]
path = "/etc/jobs.old"
[[service]]
unit = "cron.service"
enable = false
"#;

fn adopt(fleet: &Fleet, arguments: &[&str], input: &str) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
    command.arg("-C").arg(fleet.tree()).args(["host", "adopt"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = std::time::Instant::now();
    let mut child = command.spawn().expect("it starts");
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("our child");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        took: started.elapsed(),
    }
}

#[test]
fn a_machine_is_adopted_and_becomes_what_was_shown() {
    if skip("adopting a machine", &[Need::Trees, Need::Program("ssh"), Need::Program("ssh-keygen")]) {
        return;
    }
    for release in Release::ALL {
        let fleet = Fleet::example().without_people();
        fleet.write("roles/jobs.toml", JOBS);
        fleet.write(
            "roles/more.toml",
            "summary = \"More\"\nincludes = [\"jobs\"]\ndepends = [\"netbase\", \"varnish\"]\n",
        );
        let mut fleet = fleet.serve();
        let machine = fleet.machine_tree(release, "old.example.org");
        machine.services(Services::Denied);
        machine.apt("install cron netbase openssh-server");
        machine.write("/etc/jobs.conf", "level = 1\nname = old.example.org\n");
        machine.write("/etc/jobs.key", "key\n");
        machine.write("/etc/jobs.same", "");
        machine.ok("chmod 0644 /etc/jobs.key; ln -s /dev/null /etc/jobs.link; touch /etc/jobs.old");
        let root = machine.path("/").to_str().expect("a plain path").to_owned();

        // From a mounted tree.
        let shown = adopt(&fleet, &["old.example.org", "--root", &root, "--dry-run"], "").ok("adopt");
        for part in [
            format!("old.example.org: Debian {}, no address known", release.codename()),
            "roles: jobs, by the software that is there".into(),
            "not more: varnish is not installed".into(),
            "/etc/jobs.conf gets another content (pg-host-old.example.org)\n    --- /etc/jobs.conf (now)\n    +++ /etc/jobs.conf\n    @@ -1,2 +1,2 @@\n    -level = 1\n    +level = 2\n".into(),
            "/etc/jobs.key: 0644 root root becomes 0600 root root (pg-role-jobs)".into(),
            "/etc/jobs.new is new (pg-role-jobs)".into(),
            "/etc/jobs.link: -> /dev/null becomes -> jobs.conf (pg-role-jobs)".into(),
            "/etc/jobs.old is kept away (pg-role-jobs)".into(),
            "cron.service is enabled, becomes disabled (pg-role-jobs)".into(),
            "(1 paths are as the roles have them)".into(),
        ] {
            assert!(shown.contains(&part), "{part:?} is not in\n{shown}");
        }
        assert!(!fleet.tree().join("hosts/old.example.org.toml").exists(), "only shown");

        // By its own hand: the script there, its words here.
        let script = fleet.debrole(&["host", "collector"]);
        let told = machine.run_with("sh -s", Some(script.as_bytes())).ok("the collector");
        let facts = Facts::parse(&told).expect("facts");
        assert_eq!(
            (facts.name.as_str(), facts.release.as_str(), facts.partial),
            ("old.example.org", release.codename(), false)
        );
        assert!(facts.packages.contains("cron") && facts.host_keys.len() >= 2, "{facts:?}");
        assert_eq!(
            facts.paths["/etc/jobs.old"],
            Found::File { ownership: "0644 root root".into(), content: Some(Vec::new()) }
        );
        for (cut, why) in [
            (told.replace("\nend\n", "\n"), "cut off"),
            (told.replace("debrole-facts 1", "debrole-facts 2"), "line 1"),
            (told.replace("\nname ", "\nnonsense "), "is no fact"),
            (told.replace(&format!("release {}", release.codename()), "release sid"), "the machine runs sid"),
        ] {
            let refused = adopt(&fleet, &["old.example.org", "--stdin"], &cut);
            assert!(refused.status == 1 && refused.stderr.contains(why), "{why}: {}", refused.all());
        }
        let elsewhere = adopt(&fleet, &["other.example.org", "--stdin", "-n"], &told);
        assert!(elsewhere.stderr.contains("the machine calls itself old.example.org"), "{}", elsewhere.all());
        let unknown = adopt(&fleet, &["old.example.org", "--stdin", "--role", "job"], &told);
        assert!(unknown.stderr.contains("did you mean \"jobs\"?"), "{}", unknown.all());

        // By SSH, from a person's machine to its sshd: not before it is known by its host key.
        let home = tempfile::tempdir().expect("a temporary directory");
        let key = home.path().join(".ssh/id_ed25519");
        std::fs::create_dir(home.path().join(".ssh")).expect("writable");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
        machine.copy_in(key.with_extension("pub"), "/root/.ssh/authorized_keys");
        machine.ok("chmod 0700 /root/.ssh; chmod 0600 /root/.ssh/authorized_keys; mkdir -p /run/sshd");
        fleet.lab.start(Command::new("chroot").arg(&root).args(["/usr/sbin/sshd", "-D", "-o", "PidFile=none"]));
        let by_ssh = |to: &str| {
            let (program, tree) = (env!("CARGO_BIN_EXE_debrole"), fleet.tree().display());
            fleet.lab.run_at_home(home.path(), &format!("{program} -C {tree} host adopt old.example.org --ssh {to}"))
        };
        let started = std::time::Instant::now();
        while !fleet.lab.run("ssh-keyscan -t ed25519 192.0.2.1 | grep -q ssh-ed25519").succeeded() {
            assert!(started.elapsed() < std::time::Duration::from_secs(60), "sshd does not answer");
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        let unknown = by_ssh("root@192.0.2.1");
        assert!(unknown.status == 2 && unknown.stderr.contains("root@192.0.2.1 did not tell"), "{}", unknown.all());
        assert!(unknown.stderr.contains("Host key verification failed"), "{}", unknown.all());
        let gone = by_ssh("root@192.0.2.71");
        assert!(gone.status == 2 && gone.stderr.contains("root@192.0.2.71 did not tell"), "{}", gone.all());
        let public = machine.read("/etc/ssh/ssh_host_ed25519_key.pub");
        std::fs::write(home.path().join(".ssh/known_hosts"), format!("192.0.2.1 {public}")).expect("writable");
        let adopted = by_ssh("root@192.0.2.1").ok("adopt");
        assert!(adopted.contains("hosts/old.example.org.toml is written"), "{adopted}");
        let text = std::fs::read_to_string(fleet.tree().join("hosts/old.example.org.toml")).expect("it is written");
        assert!(text.starts_with(&format!("roles = [\"jobs\"]\nrelease = \"{}\"\n", release.codename())), "{text}");
        assert!(text.contains("ssh_host_key = [\"ssh-") || text.contains("ssh_host_key = [\"ecdsa-"), "{text}");
        let again = adopt(&fleet, &["old.example.org", "--stdin"], &told);
        assert!(again.status == 1 && again.stderr.contains("never overwritten"), "{}", again.all());
        assert_eq!(std::fs::read_to_string(fleet.tree().join("hosts/old.example.org.toml")).expect("there"), text);
        fleet.debrole(&["check"]);

        // And so it comes.
        fleet.publish();
        fleet.join(&machine, &machine);
        machine.apt("install pg-host-old.example.org");
        machine.no_marks();
        assert_eq!(machine.ok("cat /etc/jobs.conf /etc/jobs.new; stat -c %a /etc/jobs.key; readlink /etc/jobs.link; ls /etc/jobs.old 2>/dev/null || true"), "level = 2\nname = old.example.org\nnew\n600\njobs.conf\n");
        assert_eq!(machine.run("systemctl is-enabled cron.service").stdout, "disabled\n");
        fleet.remove("hosts/old.example.org.toml");
        let nothing = adopt(&fleet, &["old.example.org", "--root", &root, "-n"], "");
        assert!(
            nothing.stdout.contains("would change nothing; 6 paths are as the roles have them"),
            "{}",
            nothing.all()
        );
    }
}
