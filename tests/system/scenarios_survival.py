"""What is known outlives the process: restarts, kills, upgrades and reboots; and none of it is held against anybody."""

import json
import re
import time

from machine import Machine, tail
from registry import scenario
from subject import SERVICE, Subject, equal, expect


@scenario
def survives(machine: Machine, world):
    """Monitors, open incidents, pauses and uptime survive restart, kill -9, upgrade and reboot; nothing is told twice."""
    subject = Subject(machine)
    subject.install(world.older_deb)
    furnish(subject)
    before = facts(subject)
    for name, disturb in (
        ("restart", lambda: machine.run(f"systemctl restart {SERVICE}")),
        ("kill", lambda: killed(subject)),
        ("upgrade", lambda: subject.install(world.deb)),
        ("reboot", machine.reboot),
        ("power", lambda: machine.reboot(orderly=False)),
    ):
        subject.post('{"id":"steady","interval":60}')
        disturb()
        machine.until(f"systemctl is-active {SERVICE}", f"active after {name}")
        machine.until("curl -sS --max-time 30 http://localhost:7777/readyz", f"it answers after {name}")
        equal(facts(subject), before, f"what is known after {name}")
        equal(subject.monitor("steady")["state"], "up", f"who was up, after {name}")
        told = {each: subject.changes(each, subject.show("MainPID")) for each in ("silent", "failed", "steady")}
        equal(told, {"silent": [], "failed": [], "steady": []}, f"changes told anew after {name}")
        uptime_is_right(subject)
    # Nor do they only lie there: all of it goes on.
    subject.post('{"id":"silent","interval":60}')
    subject.post('{"id":"failed","interval":60}')
    open_ones = [each for each in subject.get("/api/v1/incidents")["incidents"] if each["ended"] is None]
    machine.until("! curl -sS http://localhost:7777/api/v1/incidents | grep -q '\"ended\":null'", "the incidents end")
    ended = {each["id"]: each for each in subject.get("/api/v1/incidents")["incidents"]}
    for each in open_ones:
        equal(ended[each["id"]]["started"], each["started"], f"the beginning of {each['id']} at its end")
    equal(subject.control("/api/v1/monitors/paused/resume"), "200", "resuming who was paused")
    equal(subject.monitor("paused")["state"], "up", "who was resumed")


@scenario
def downtime(machine: Machine, world):
    """30 s in which we were stopped make nobody late or down; who stays silent is found an interval and a grace later."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", LONG_JOB)
    subject.reload()
    for number in range(20):
        subject.post(f'{{"id":"due-{number}","interval":20,"grace":5}}')
    subject.post('{"id":"job","status":"start"}')
    machine.run(f"systemctl stop {SERVICE}")
    time.sleep(30)
    machine.run(f"systemctl start {SERVICE}")
    pid = subject.show("MainPID")
    states = {each["state"] for each in subject.monitors("due-*").values()}
    equal(states, {"up"}, "the states after the start")
    began = subject.get("/api/v1/status")["started"]
    # Half of them beat again. Of the others each is judged from the start on, however long that takes this machine.
    for number in range(10):
        subject.post(f'{{"id":"due-{number}","interval":3600}}')
    for number in range(10, 20):
        machine.until(
            f"curl -sS http://localhost:7777/api/v1/monitors/due-{number} | grep -q '\"state\":\"down\"'",
            "who stays silent after the start is down",
        )
        equal(subject.changes(f"due-{number}", pid), ["late", "down"], "the changes of who stays silent")
        since = subject.monitor(f"due-{number}")["since"]
        took = seconds(machine, since) - seconds(machine, began)
        expect(took >= 25, f"due-{number} was down {took:.1f} s after the start, with 20 s and 5 s of grace")
    for number in range(10):
        equal(subject.changes(f"due-{number}", pid), [], "the changes of who beats again")
    # It had 40 s, ran for a while before the stop and has been running for less than that since the start.
    equal(subject.changes("job", pid)[:1], [], "the changes of the job that went on over our stop")
    machine.until("curl -sS http://localhost:7777/api/v1/monitors/job | grep -q '\"state\":\"down\"'", "its limit holds")
    took = seconds(machine, subject.monitor("job")["since"]) - seconds(machine, subject.monitor("job")["last_beat"])
    expect(took >= 90, f"the job was down {took:.1f} s after its start, with a limit of 60 s and 30 s of our downtime")


@scenario
def frozen(machine: Machine, world):
    """The daemon stopped for 5 s under clients that promise a beat every 3 s: nobody is down for that."""
    subject = Subject(machine)
    subject.install(world.deb)
    pid = subject.show("MainPID")
    flow = subject.flow(5, "pulse", "pulse")
    machine.until("curl -sS http://localhost:7777/api/v1/monitors/pulse-5 | grep -q '\"beats\":[2-9]'", "they beat")
    for _ in range(3):
        machine.run(f"systemctl kill -s STOP --kill-whom=main {SERVICE}")
        time.sleep(5)
        machine.run(f"systemctl kill -s CONT --kill-whom=main {SERVICE}")
        # Longer than interval and grace: whom the stop had made late would be down by then.
        time.sleep(5)
    downs = {number: subject.changes(f"pulse-{number}").count("down") for number in range(1, 6)}
    equal(downs, {number: 0 for number in range(1, 6)}, "how often each was down though it kept beating")
    equal(subject.show("MainPID"), pid, "the process")
    flow.stop()
    for number in range(1, 6):
        machine.until(
            f"curl -sS http://localhost:7777/api/v1/monitors/pulse-{number} | grep -q '\"state\":\"down\"'",
            "once they are silent they are down",
        )


@scenario
def killed_under_load(machine: Machine, world):
    """Ten times kill -9 under two clients: every acknowledged beat made a monitor that is still there."""
    subject = Subject(machine)
    subject.install(world.deb)
    keep, fresh = subject.flow(200, "keep"), subject.flow(100, "fresh", "flow")
    for _ in range(10):
        killed(subject)
        time.sleep(1)
    for flow in (keep, fresh):
        told = flow.stop()
        known = subject.monitors(f"{flow.prefix}-*")
        lost = [at for at in told["ok"] if f"{flow.prefix}-{at}" not in known]
        expect(not lost, f"{len(lost)} of {len(told['ok'])} acknowledged beats are lost, such as {lost[:3]}")
        print(f"    {flow.prefix}: {len(told['ok'])} acknowledged, {len(told['failed'])} to be sent again")
    restarts = int(subject.show("NRestarts"))
    expect(restarts >= 10, f"only {restarts} restarts")
    expect("damaged" not in subject.journal(), f"damage is reported:\n{tail(subject.journal())}")


LONG_JOB = """
[[monitor]]
match = "job"
run_limit = "60s"
grace = "0s"
"""


def furnish(subject: Subject):
    """Makes one monitor of each kind, and waits until what is to be seen has been put on record."""
    machine = subject.machine
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", NIGHTLY)
    subject.reload()
    for body in (
        '{"id":"silent","interval":1,"grace":1}',
        '{"id":"recovered","interval":3600,"tags":["a","b"],"seq":7}',
        '{"id":"recovered","status":"fail","message":"disk full","seq":9}',
        '{"id":"failed","status":"fail","message":"no power"}',
        '{"id":"paused","interval":1,"grace":1}',
    ):
        subject.post(body)
    equal(subject.control("/api/v1/monitors/paused/pause", '{"for":"2h"}'), "200", "a pause")
    machine.until("curl -sS http://localhost:7777/api/v1/monitors/silent | grep -q '\"state\":\"down\"'", "silent is down")
    subject.post('{"id":"recovered","interval":3600,"seq":10}')
    machine.until(
        "curl -sS 'http://localhost:7777/api/v1/incidents' | grep -o '\"monitor\"' | wc -l | grep -qx 3"
        " && curl -sS 'http://localhost:7777/api/v1/incidents?monitor=recovered' | grep -q '\"ended\":\"'",
        "the three incidents are on record",
    )


def facts(subject: Subject) -> dict:
    """All that must be the same after a start as before."""
    keys = (
        "number state since last_beat interval_s grace_s declared address beats seq gaps repeats status message tags"
        " incident paused_until paused_by schedule timezone"
    ).split()
    known = {name: subject.monitor(name) for name in ("silent", "recovered", "failed", "paused", "nightly")}
    seen = {name: {key: each[key] for key in keys} for name, each in known.items()}
    incidents = subject.get("/api/v1/incidents")["incidents"]
    seen["incidents"] = [{**each, "duration_s": None} for each in incidents]
    states = [seen[name]["state"] for name in ("silent", "recovered", "failed", "paused", "nightly")]
    equal(states, ["down", "up", "down", "paused", "new"], "the states")
    equal([each["monitor"] for each in incidents if each["ended"] is None], ["silent", "failed"], "open incidents")
    return json.loads(json.dumps(seen))


def uptime_is_right(subject: Subject):
    """Fails unless the uptime of who was down for a while is what its incident says."""
    machine = subject.machine
    [incident] = subject.get("/api/v1/incidents?monitor=recovered")["incidents"]
    share = subject.monitor("recovered")["uptime_24h"]
    now = float(machine.out("date +%s.%N"))
    # It was made a moment before its failure; what else happened in between is allowed for.
    whole = now - seconds(machine, incident["started"])
    wanted = 1 - incident["duration_s"] / whole
    expect(abs(share - wanted) < 0.1, f"uptime_24h is {share}, expected about {wanted:.3f}: {incident}")


def killed(subject: Subject):
    """Kills the daemon and waits until systemd has started another."""
    pid = subject.show("MainPID")
    subject.machine.run(f"kill -KILL {pid}")
    subject.machine.until(
        f"systemctl is-active {SERVICE} && test $(systemctl show -P MainPID {SERVICE}) -ne {pid}", "another is there"
    )


def seconds(machine: Machine, moment: str) -> float:
    """A moment of the API in Unix seconds."""
    expect(re.fullmatch(r"[-0-9T:.]+Z", moment), f"no moment: {moment!r}")
    return float(machine.out(f"date -d {moment} +%s.%N"))


NIGHTLY = """
[[monitor]]
match = "nightly"
schedule = "30 3 * * *"
timezone = "Europe/Berlin"
"""
