"""A line for every beat: under rotation, a restarted syslog and a full disk."""

import json
import time

from machine import Machine, tail
from registry import scenario
from subject import BEAT_LINE, LOG, LOG_DIR, SERVICE, TRANSITION, Subject, equal, expect


@scenario
def thousand_beats(machine: Machine, world):
    """1,000 beats are 1,000 lines in the file and none in the journal."""
    subject = Subject(machine)
    subject.install(world.deb)
    for number in range(10):
        subject.post(json.dumps({"id": f"curl-{number}"}))
    subject.count(990, "client")
    equal(len(subject.ids("curl")), 10, "lines of the beats sent by curl")
    seen = subject.ids("client")
    equal(sum(seen.values()), 990, "lines of the other beats")
    equal(len(seen), 990, "different ids in them")
    equal(subject.metric("heartbeat_beats_total"), 1000.0, "heartbeat_beats_total")
    journal = subject.journal()
    expect("client-1" not in journal and "curl-1" not in journal, f"beats reach the journal:\n{tail(journal)}")
    expect("7777" in journal, f"the start does not reach the journal:\n{tail(journal)}")


@scenario
def transitions_in_journal(machine: Machine, world):
    """A change of state stands in the journal with fields of its own, and under the id of its kind."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.post('{"id":"brief","interval":1,"grace":1}')
    ask = f"journalctl --no-pager -o json MESSAGE_ID={TRANSITION} HEARTBEAT_MONITOR=brief HEARTBEAT_STATE="
    machine.until(f"test $({ask}down | wc -l) -ge 1", "the monitor is down")
    subject.post('{"id":"brief","interval":3600}')
    machine.until(f"test $({ask}up | wc -l) -ge 1", "the monitor is up again")
    everything = machine.out(f"journalctl --no-pager -o json -u {SERVICE}").splitlines()
    entries = [json.loads(line) for line in everything]
    changes = [entry for entry in entries if entry.get("HEARTBEAT_EVENT") == "transition"]
    told = [(entry["HEARTBEAT_STATE_BEFORE"], entry["HEARTBEAT_STATE"]) for entry in changes]
    equal(told, [("up", "late"), ("late", "down"), ("down", "up")], "the changes told")
    for entry in changes:
        equal(entry["MESSAGE_ID"], TRANSITION, "MESSAGE_ID of a change")
        equal(entry["HEARTBEAT_MONITOR"], "brief", "HEARTBEAT_MONITOR of a change")
        equal(entry["SYSLOG_IDENTIFIER"], "heartbeat-server", "SYSLOG_IDENTIFIER of a change")
        expect("brief" in entry["MESSAGE"], f"the sentence does not name the monitor: {entry['MESSAGE']!r}")
    started = [entry for entry in entries if entry.get("HEARTBEAT_EVENT") == "started"]
    equal([entry["HEARTBEAT_PORT"] for entry in started], ["7777", "7778"], "HEARTBEAT_PORT of the starts")


@scenario
def logrotate(machine: Machine, world):
    """Five rotations with beats flowing: no line lost, none doubled, and the files are as the rules say."""
    subject = Subject(machine)
    subject.install(world.deb)
    flow = subject.flow(300, "rotated")
    time.sleep(1)
    for _ in range(5):
        machine.run("logrotate -f /etc/logrotate.d/heartbeat-server")
        time.sleep(1)
    told = flow.stop()
    subject.whole("rotated", told)
    files = machine.out(f"ls {LOG_DIR}").split()
    for name in ("heartbeat-server.log", "heartbeat-server.log.1", "heartbeat-server.log.2.gz", "heartbeat-server.log.5.gz"):
        expect(name in files, f"{name} is not among {files}")
    equal(machine.out(f"stat -c %U:%G:%a {LOG}"), "heartbeat-server:adm:640", "owner, group and mode of the new log")
    expect(subject.ids("rotated", LOG), "after the last rotation nothing goes to the new file")
    # While the service is down rotation is no error either, and the next start goes on.
    machine.run(f"systemctl stop {SERVICE}")
    machine.run("logrotate -f /etc/logrotate.d/heartbeat-server")
    machine.run(f"systemctl start {SERVICE}")
    subject.count(5, "later")
    equal(len(subject.ids("later", LOG)), 5, "lines after a rotation while stopped")


@scenario
def syslog_restart(machine: Machine, world):
    """rsyslog and the socket /dev/log restarted under load: lines keep arriving, with no restart of ours."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.drop_in(SERVICE, "[Service]\nExecStart=\nExecStart=/usr/sbin/heartbeat-server --log syslog\n")
    machine.run(f"systemctl restart {SERVICE}")
    pid = subject.show("MainPID")
    # journald lets 10,000 lines in 30 s pass on to rsyslog: stay well below.
    flow = subject.flow(100, "during")
    arrived = "grep -q 'id: {0}-5$\\|标识: {0}-5$' /var/log/syslog"
    machine.until(arrived.format("during"), "lines arrive at all")
    machine.run("systemctl restart rsyslog.service")
    subject.count(5, "after-rsyslog")
    machine.until(arrived.format("after-rsyslog"), "lines arrive after rsyslog was restarted")
    # The other end of /dev/log goes away and comes back as a new socket.
    before = machine.out("stat -c %i /run/systemd/journal/dev-log")
    machine.run("systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service")
    machine.run("rm -f /run/systemd/journal/dev-log")
    machine.run("systemctl start systemd-journald-dev-log.socket systemd-journald.socket systemd-journald.service")
    expect(machine.out("stat -c %i /run/systemd/journal/dev-log") != before, "the socket /dev/log is still the old one")
    subject.count(5, "after-devlog")
    machine.until(arrived.format("after-devlog"), "lines arrive after /dev/log was made anew")
    told = flow.stop()
    equal(told["failed"], [], "beats that were not acknowledged meanwhile")
    equal(subject.show("MainPID"), pid, "the process")


@scenario
def full_disk(machine: Machine, world):
    """The disk of the log is full: beats are still answered, the lost lines counted; with room again it recovers alone."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"systemctl stop {SERVICE}")
    machine.run(f"mount -t tmpfs -o size=128k,mode=755 tmpfs {LOG_DIR}")
    machine.run(f"systemctl start {SERVICE}")
    pid = subject.show("MainPID")
    subject.count(5000, "full")
    machine.until(
        "curl -sS http://localhost:7777/metrics | grep -E '^heartbeat_log_lines_dropped_total [1-9]'",
        "the lost lines are counted",
    )
    machine.run(f"mount -o remount,size=64m {LOG_DIR}")
    machine.until(
        "curl -sS -d '{\"id\":\"room-1\"}' http://localhost:7777/ && sleep 0.3 && grep -q 'room-1$' " + LOG,
        "with room on the disk lines are written again",
    )
    equal(subject.show("MainPID"), pid, "the process")
    kept = subject.lines()
    torn = [line for line in kept if "full-" in line and not BEAT_LINE.search(line)]
    expect(not torn, f"{len(torn)} torn lines, such as {torn[:2]}")
    # What is neither in the file nor counted was lost in silence.
    dropped = subject.metric("heartbeat_log_lines_dropped_total")
    written = len(subject.ids("full"))
    expect(written + dropped >= 5000, f"{written} lines written and {dropped:.0f} counted as dropped, of 5000")
    said = [line for line in kept + subject.journal().splitlines() if "log" in line.lower() and LOG in line]
    expect(said, f"nobody is told that the log fails:\n{tail(subject.journal())}")
