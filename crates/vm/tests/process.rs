//! Programs that end, or have to be ended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails"
)]

mod alive;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use alive::Alive;
use vm::process::{Cancel, Exit, Invocation, Stream, run};

const SOON: Option<Duration> = Some(Duration::from_millis(50));

fn shell(script: &str, args: &[&Path]) -> Invocation {
    let mut all: Vec<OsString> = vec!["-c".into(), script.into(), "sh".into()];
    all.extend(args.iter().map(|arg| arg.into()));
    Invocation {
        program: "sh".into(),
        args: all,
        ..Invocation::default()
    }
}

fn end(program: &Invocation, deadline: Option<Duration>) -> io::Result<(Exit, Vec<String>)> {
    let mut lines = Vec::new();
    let exit = run(program, deadline, &Cancel::new()?, &mut |stream, line| {
        lines.push(format!(
            "{} {line}",
            if stream == Stream::Out { 1 } else { 2 }
        ));
    })?;
    lines.sort();
    Ok((exit, lines))
}

#[test]
fn both_streams_and_the_code_come_through() {
    let program = shell("echo one; echo two >&2; printf three; exit 7", &[]);
    let (exit, lines) = end(&program, None).unwrap();
    assert_eq!(exit, Exit::Code(7));
    assert_eq!(lines, ["1 one", "1 three", "2 two"]);
}

#[test]
fn it_runs_where_and_with_what_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = shell("pwd; echo \"$V\"; cat", &[]);
    program.dir = Some(dir.path().canonicalize().unwrap());
    program.env = vec![("V".into(), "a b".into())];
    let (exit, lines) = end(&program, None).unwrap();
    assert_eq!(exit, Exit::Code(0), "cat sees the end of its input");
    let here = format!("1 {}", program.dir.unwrap().display());
    assert_eq!(lines, [here, "1 a b".into()]);
}

#[test]
fn what_can_not_start_says_why() {
    let kind = |program: &Invocation| end(program, None).unwrap_err().kind();
    let missing = Invocation {
        program: "no-such-program".into(),
        ..Invocation::default()
    };
    assert_eq!(kind(&missing), io::ErrorKind::NotFound);
    let nowhere = Invocation {
        dir: Some("/no/such/folder".into()),
        ..shell("true", &[])
    };
    assert_eq!(kind(&nowhere), io::ErrorKind::NotADirectory);
}

#[test]
fn a_signal_of_somebody_elses_is_told() {
    assert_eq!(
        end(&shell("kill -SEGV $$", &[]), None).unwrap().0,
        Exit::Signal(11)
    );
}

#[test]
fn a_deadline_ends_the_willing_and_the_unwilling() {
    for script in [
        "exec sleep 1000",
        "trap '' TERM; while :; do sleep 1000; done",
        "kill -STOP $$",
    ] {
        assert_eq!(
            end(&shell(script, &[]), SOON).unwrap().0,
            Exit::Deadline,
            "{script}"
        );
    }
}

#[test]
fn a_program_may_tidy_up_when_it_is_ended() {
    let program = shell("trap 'echo tidy; exit' TERM; sleep 1000 & wait", &[]);
    let (exit, lines) = end(&program, Some(Duration::from_secs(1))).unwrap();
    assert_eq!(exit, Exit::Deadline);
    assert_eq!(lines, ["1 tidy"]);
}

#[test]
fn cancelling_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("alive");
    let alive = Alive::new(&pipe);
    let cancel = Cancel::new().unwrap();
    let program = shell(
        "exec 9>\"$1\"; sh -c 'sleep 1000; :' & echo go; wait",
        &[&pipe],
    );
    let exit = run(&program, None, &cancel, &mut |_, _| cancel.cancel()).unwrap();
    assert_eq!(exit, Exit::Cancelled);
    alive.wait_gone();
    let exit = run(&program, None, &cancel.clone(), &mut |_, _| panic!("ran")).unwrap();
    assert_eq!(exit, Exit::Cancelled);
}

#[test]
fn what_it_leaves_behind_in_its_group_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("alive");
    let alive = Alive::new(&pipe);
    let program = shell("exec 9>\"$1\"; sleep 1000 & exit 3", &[&pipe]);
    assert_eq!(end(&program, None).unwrap().0, Exit::Code(3));
    alive.wait_gone();
}

#[test]
fn a_daemon_that_keeps_the_output_open_is_not_waited_for() {
    // It ends by itself, so that the test leaves nothing running for long.
    let (exit, lines) = end(&shell("setsid sleep 20 & echo out", &[]), None).unwrap();
    assert_eq!(exit, Exit::Code(0));
    assert_eq!(lines, ["1 out"]);
}

#[test]
fn much_output_arrives_whole() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done";
    assert_eq!(end(&shell(script, &[]), None).unwrap().1.len(), 40_000);
}

/// Runs itself again as the command, which is killed.
#[test]
fn a_group_is_gone_before_the_locks_of_a_command_that_was_killed() {
    const PLACE: &str = "PLACE_OF_LOCK";
    const NAME: &str = "a_group_is_gone_before_the_locks_of_a_command_that_was_killed";
    if let Some(place) = std::env::var_os(PLACE) {
        let place = Path::new(&place);
        let lock = File::create(place.join("lock")).unwrap();
        lock.lock().unwrap();
        // A compiler of a make, and one of which make knows nothing any more.
        let script = "(exec 9>\"$1\"; echo >&9; sleep 1000) & (trap '' HUP; exec 9>\"$1\"; echo >&9; sleep 1000)";
        end(&shell(script, &[&place.join("alive")]), None).unwrap();
        panic!("nobody killed this");
    }
    let place = tempfile::tempdir().unwrap();
    let mut alive = Alive::new(&place.path().join("alive"));
    let mut command = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(PLACE, place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    alive.wait_for_a_byte();
    alive.wait_for_a_byte();
    command.kill().unwrap();
    let lock = File::open(place.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(
        alive.is_gone(),
        "the lock was free while others were at work"
    );
    command.wait().unwrap();
}
