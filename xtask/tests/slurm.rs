//! A matrix on a real Slurm of one node, which the test starts and stops. Its
//! cells end before anything is built: this is about who runs them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// munge, a controller and a node, all below one folder.
struct Cluster {
    _folder: tempfile::TempDir,
    root: PathBuf,
    daemons: Vec<Child>,
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let mut cluster = Self {
            _folder: folder,
            root: root.clone(),
            daemons: Vec::new(),
        };
        for name in ["state", "spool"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let key = root.join("key");
        let bytes: Vec<u8> = (0..64u8).map(|n| n.wrapping_mul(37) ^ 0x5a).collect();
        std::fs::write(&key, bytes).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o400)).unwrap();
        std::fs::write(root.join("slurm.conf"), cluster.configuration()).unwrap();
        let munge: Vec<String> = [
            ("--key-file", "key"),
            ("--socket", "munge.sock"),
            ("--pid-file", "munge.pid"),
            ("--log-file", "munge.log"),
            ("--seed-file", "munge.seed"),
        ]
        .map(|(option, name)| format!("{option}={}", root.join(name).display()))
        .into();
        cluster.daemon(
            "munged",
            &[&["--foreground".into(), "--force".into()], &*munge].concat(),
        );
        let socket = format!("--socket={}", root.join("munge.sock").display());
        cluster.until("munge", &["--no-input", &socket]);
        cluster.daemon("slurmctld", &["-D".into()]);
        cluster.until("scontrol", &["ping"]);
        cluster.daemon("slurmd", &["-D".into()]);
        // Waits in the queue until the node is up.
        let up = cluster.command("srun").arg("true").output().unwrap();
        assert!(up.status.success(), "{}", cluster.logs());
        cluster
    }

    fn configuration(&self) -> String {
        let root = self.root.display();
        let name = Command::new("hostname").arg("-s").output().unwrap().stdout;
        let name = String::from_utf8(name).unwrap();
        let name = name.trim();
        let [controller, node] = free_ports();
        format!(
            "ClusterName=reaperlab\nSlurmctldHost={name}(127.0.0.1)\n\
             SlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\n\
             AuthInfo=socket={root}/munge.sock\nCredType=cred/munge\n\
             StateSaveLocation={root}/state\nSlurmdSpoolDir={root}/spool\n\
             SlurmctldPidFile={root}/slurmctld.pid\nSlurmdPidFile={root}/slurmd.pid\n\
             SlurmctldLogFile={root}/slurmctld.log\nSlurmdLogFile={root}/slurmd.log\n\
             SlurmctldPort={controller}\nSlurmdPort={node}\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nMpiDefault=none\n\
             ReturnToService=2\nSchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1\n\
             NodeName={name} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\n\
             PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
        )
    }

    fn daemon(&mut self, name: &str, args: &[String]) {
        let child = self
            .command(&format!("/usr/sbin/{name}"))
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{name} can't be started ({error}): `cargo xtask test --setup` installs it")
        });
        self.daemons.push(child);
    }

    /// Asks until the answer is yes.
    fn until(&self, program: &str, args: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.command(program).args(args).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            if output.status.success() && !text.contains("DOWN") {
                return;
            }
            assert!(Instant::now() < deadline, "{program}: {}", self.logs());
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("SLURM_CONF", self.root.join("slurm.conf"))
            .env("REAPERLAB_CACHE", self.root.join("cache"))
            .stdin(Stdio::null());
        command
    }

    fn control(&self, args: &[&str]) {
        let output = self.command("scontrol").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", self.logs());
    }

    fn xtask(&self, program: &Path, args: &str) -> Output {
        let mut command = self.command(&program.display().to_string());
        command.args(args.split(' ')).output().unwrap()
    }

    /// Waits for a job to end. A task that was queued again has to wait two
    /// minutes, for the sake of the node: here two seconds. Not less: a node
    /// refuses a task whose credential is of the second in which its first one
    /// was revoked.
    fn wait(&self, job: &str, task: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut queued_again = false;
        loop {
            if !queued_again && self.is_queued_again(task) {
                self.control(&["update", &format!("jobid={task}"), "starttime=now+2"]);
                queued_again = true;
            }
            let queue = ["--noheader", "--jobs", job];
            let output = self.command("squeue").args(queue).output().unwrap();
            if output.stdout.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{}", self.logs());
        }
    }

    fn is_queued_again(&self, task: &str) -> bool {
        let show = ["show", "job", task];
        let output = self.command("scontrol").args(show).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        text.contains("Restarts=1") && text.contains("JobState=PENDING")
    }

    fn logs(&self) -> String {
        let daemons = ["munge.log", "slurmctld.log", "slurmd.log"];
        let jobs = ["task-0.log", "task-1.log", "task-2.log", "merge.log"];
        let jobs = jobs.map(|name| Path::new("all").join(name));
        let names = daemons.iter().map(Path::new);
        names
            .chain(jobs.iter().map(PathBuf::as_path))
            .map(|name| {
                let text = std::fs::read_to_string(self.root.join(name)).unwrap_or_default();
                format!("{}:\n{text}", name.display())
            })
            .collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn free_ports() -> [u16; 2] {
    let sockets = [0, 0].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// A tree that looks like a kernel's, and a patch that does not apply to it.
fn lay_out(root: &Path) {
    std::fs::create_dir_all(root.join("linux/mm")).unwrap();
    let makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION =\n";
    std::fs::write(root.join("linux/Makefile"), makefile).unwrap();
    std::fs::write(root.join("linux/mm/reap.c"), "one\ntwo\n").unwrap();
    let mail = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
                From: A U Thor <author@example.org>\n\
                Date: Fri, 29 Aug 2025 14:55:50 +0800\n\
                Subject: [PATCH] mm: change a line\n\nBecause.\n---\n\n\
                diff --git a/mm/reap.c b/mm/reap.c\n--- a/mm/reap.c\n+++ b/mm/reap.c\n\
                @@ -1,1 +1,1 @@\n-nine\n+ten\n";
    std::fs::write(root.join("series.patch"), mail).unwrap();
}

#[test]
fn an_array_of_cells_and_what_joins_them() {
    let cluster = Cluster::start();
    let root = &cluster.root;
    lay_out(root);
    // A copy, so that a task can be made to die.
    let real = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let program = root.join("xtask");
    std::fs::copy(real, &program).unwrap();
    let node = Command::new("hostname").arg("-s").output().unwrap().stdout;
    let node = format!("nodename={}", String::from_utf8(node).unwrap().trim());
    cluster.control(&["update", &node, "state=drain", "reason=test"]);
    let args = "matrix submit --slurm --json --series series.patch \
                --kernel linux --kernel nowhere --kernel lost --out all";
    let submitted = cluster.xtask(&program, args);
    assert!(submitted.status.success(), "{submitted:?}");
    let jobs: Value = serde_json::from_slice(&submitted.stdout).unwrap();

    std::fs::remove_file(&program).unwrap();
    let dies = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--lost*) ;;\n*'--index 2'*) kill -9 $$ ;;\nesac\n\
         exec '{}' \"$@\"\n",
        real.display()
    );
    std::fs::write(&program, dies).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    cluster.control(&["update", &node, "state=resume"]);
    let [array, merge] = ["array", "merge"].map(|job| jobs[job].as_str().unwrap());
    cluster.wait(merge, &format!("{array}_2"));

    let path = root.join("all/matrix.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", cluster.logs()));
    let matrix: Value = serde_json::from_str(&text).unwrap();
    let cells = matrix["cells"].as_array().unwrap();
    let found = |kernel: &str| {
        let cell = cells.iter().find(|cell| cell["kernel"] == kernel).unwrap();
        (
            cell["ended"].as_str().unwrap(),
            cell["exit_code"].as_u64().unwrap(),
        )
    };
    assert_eq!(found("linux"), ("apply", 3));
    assert_eq!(found("nowhere"), ("source", 2));
    assert_eq!(found("lost"), ("boot", 5));
    let lost = cells.iter().find(|cell| cell["kernel"] == "lost").unwrap();
    let why = lost["error"].as_str().unwrap();
    assert!(
        why.contains("137") && why.contains("twice"),
        "{why}\n{}",
        cluster.logs()
    );
}
