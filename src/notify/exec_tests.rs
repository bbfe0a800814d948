use super::*;
use crate::domain::alert::MessageKind;
use crate::domain::lang::Lang;
use crate::notify::testing::{message, reason_in, retried, wait};
use crate::sys::clock;

fn run(script: &str, timeout: Span) -> Outcome {
    let command = ["sh", "-c", script].map(String::from).to_vec();
    let mut down = message(MessageKind::Down, &["web-1", "web-2"]);
    down.monitors[0].said = Some("nul \0 inside".into());
    wait(
        Exec::new(ExecOptions { command, timeout, show_answers: true }).send(&Envelope::new(Lang::En, &down)),
    )
}

const PATIENT: Span = Span::secs(60);

#[test]
fn a_program_is_told_by_its_environment_and_its_input() {
    let script = r#"
        [ "$HEARTBEAT_KIND $HEARTBEAT_MONITOR $HEARTBEAT_INCIDENT $HEARTBEAT_COUNT" = "down web-1 7-web-1 2" ] || exit 1
        [ "$HEARTBEAT_TEXT" = "2 monitors are down: web-1, web-2" ] || exit 2
        [ "$HEARTBEAT_KEY $HEARTBEAT_DURATION_S $HEARTBEAT_CAUSE" = "down-7-3-ops 60 silence" ] || exit 3
        [ "$HEARTBEAT_MESSAGE" = "nul   inside" ] || exit 4
        grep -q '"id":"web-2"' || exit 5
        [ "$(pwd)" = / ] && [ -z "$NOTIFY_SOCKET" ] && [ -n "$PATH" ] || exit 6
        # Its group is its own, so that all of it can be ended.
        [ "$(ps -o pgid= -p $$ 2>/dev/null | tr -d ' ' || echo $$)" = "$$" ] || [ ! -x /bin/ps ] || exit 7
    "#;
    assert_eq!(run(script, PATIENT), Outcome::Sent);
}

#[test]
fn its_exit_status_and_its_words_are_told() {
    for (script, want) in [
        ("exit 75", "sh wants to be tried again later"),
        ("echo out; echo '  no such\n  user ' >&2; exit 3", "sh failed with exit status 3: no such user"),
        ("echo out; exit 1", "sh failed with exit status 1: out"),
        ("kill -9 $$", "sh was ended by a signal (signal: 9 (SIGKILL))"),
    ] {
        assert_eq!(retried(run(script, PATIENT)), (None, want.to_string()), "{script}");
    }
    let none = Exec::new(ExecOptions {
        command: vec!["/no/such/program".into()],
        timeout: PATIENT,
        show_answers: true,
    });
    let test = message(MessageKind::Test, &[]);
    let outcome = wait(none.send(&Envelope::new(Lang::Zh, &test)));
    assert!(reason_in(Lang::Zh, &outcome).starts_with("无法启动 program："), "{outcome:?}");
}

#[test]
fn one_that_hangs_is_given_up() {
    let began = clock::mono();
    let (_, reason) = retried(run("sleep 600", Span(300)));
    assert_eq!(reason, "sh was not done within 300ms and was killed");
    assert!(clock::mono().since(began) < Span::secs(300));
}

#[test]
fn one_that_is_given_up_is_ended_with_all_that_it_started() {
    let dir = std::env::temp_dir().join(format!("heartbeat-exec-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("pid");
    // The child ignores what is asked of it politely, and the shell waits for it.
    let path = file.display();
    let script =
        format!("(trap '' TERM HUP INT; exec sleep 600) & echo $! > {path}.new; mv {path}.new {path}; wait");
    let exec = Exec::new(ExecOptions {
        show_answers: true,
        command: ["sh", "-c", &script].map(String::from).to_vec(),
        timeout: PATIENT,
    });
    let down = message(MessageKind::Down, &["web-1"]);
    let envelope = Envelope::new(Lang::En, &down);
    wait(async {
        let started = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // An attempt that is given up is dropped.
        tokio::select! {
            outcome = exec.send(&envelope) => panic!("{outcome:?}"),
            () = started => {}
        }
    });
    let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let gone = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Its new parent may take a while to reap it.
        stat.is_empty() || stat.contains(") Z ")
    });
    assert!(gone || !cfg!(target_os = "linux"), "{pid} is still there");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_it_leaves_running_is_not_waited_for() {
    let began = clock::mono();
    assert_eq!(run("sleep 100 & exit 0", PATIENT), Outcome::Sent);
    assert!(clock::mono().since(began) < Span::secs(60));
}

#[test]
fn of_a_flood_only_the_beginning_is_kept() {
    let (_, reason) = retried(run("yes flood | head -c 50000000; exit 1", PATIENT));
    assert!(
        reason.starts_with("sh failed with exit status 1: flood flood") && reason.len() < 500,
        "{reason}"
    );
    // And one that reads nothing of its input is not wrong.
    assert_eq!(run("exec <&-; exit 0", PATIENT), Outcome::Sent);
}
