"""The client's package beside the server's: installing, the agent as a service, its hooks, removal and purge."""

import re

from machine import Machine, tail
from registry import scenario
from scenarios_service import manual
from subject import SERVICE, Subject, equal, expect

CLIENT = "heartbeat-client.service"
CLIENT_CONFIG = "/etc/heartbeat-client/heartbeat-client.toml"
INSTALL = "heartbeat install --to localhost:7777 --every 1s --id box"


def hooks(machine: Machine):
    """Gives the agent hooks whose words the journal keeps, and little patience."""
    machine.run(
        f"""cat >> {CLIENT_CONFIG} <<'END'
timeout = "2s"
on_down = "logger -t hb-hook went $HEARTBEAT_STATE: $HEARTBEAT_TEXT"
on_up = "logger -t hb-hook went $HEARTBEAT_STATE: $HEARTBEAT_TEXT"
END"""
    )


@scenario
def client(machine: Machine, world):
    """`heartbeat install` starts an agent that notices a dead server and delivers what it kept meanwhile."""
    subject = Subject(machine)
    subject.install(world.deb)
    said = subject.install(world.client_deb)
    expect("warning" not in said.lower() or "unsandboxed" in said, f"apt warns:\n{tail(said)}")
    equal(machine.out(f"systemctl is-enabled {CLIENT}"), "disabled", "is-enabled before `heartbeat install`")
    equal(machine.out(f"systemctl is-active {CLIENT}"), "inactive", "is-active before `heartbeat install`")
    manual(machine, "man1/heartbeat.1")
    machine.run("bash -n /usr/share/bash-completion/completions/heartbeat")
    hooks(machine)

    said = machine.run(INSTALL).stdout
    expect("has answered the first beat of box" in said, f"`heartbeat install` says:\n{tail(said)}")
    equal(machine.out(f"systemctl is-enabled {CLIENT}"), "enabled", "is-enabled")
    equal(machine.out(f"systemctl is-active {CLIENT}"), "active", "is-active")
    expect("on_down" in machine.out(f"cat {CLIENT_CONFIG}"), "the rest of the configuration is gone")
    expect("says so already" in machine.run(INSTALL).stdout, "the second `heartbeat install` changes something")
    equal(machine.out("ps -o user:32= -C heartbeat"), "heartbeat-client", "the agent's user")
    machine.until(f"systemctl show -P StatusText {CLIENT} | grep -q answers", "the status line tells of the server")
    rated = machine.out(f"systemd-analyze security {CLIENT} --no-pager | tail -1")
    score = re.search(r"(\d+\.\d+) OK", rated)
    expect(score and float(score.group(1)) <= 1.5, f"systemd rates the unit: {rated}")

    # As root everything goes over the control socket, and needs no token.
    machine.until("heartbeat list --match box | grep -q '^up '", "the monitor is listed as up")
    machine.run("heartbeat pause box --for 1h")
    equal(subject.monitor("box")["state"], "paused", "the state after `heartbeat pause`")
    machine.run("heartbeat resume box")

    before = subject.monitor("box")["beats"]
    machine.run(f"systemctl stop {SERVICE}")
    machine.until("journalctl -q -t hb-hook | grep -q 'went down'", "on_down is run")
    kept = machine.until(
        f"systemctl show -P StatusText {CLIENT} | grep -E '[0-9]{{1,}} beats kept'", "beats are kept meanwhile"
    )
    kept = int(re.search(r"(\d+) beats kept", kept).group(1))
    equal(machine.out(f"systemctl is-active {CLIENT}"), "active", "is-active while the server is away")
    machine.run(f"systemctl start {SERVICE}")
    machine.until("journalctl -q -t hb-hook | grep -q 'went up'", "on_up is run")
    after = subject.monitor("box")
    expect(after["beats"] >= before + kept, f"{kept} beats were kept; {before} had come before and {after['beats']} now")
    equal(after["gaps"], 0, "beats missing by the agent's own counter")
    equal(after["state"], "up", "the state in the end")
    print(f"    {kept} beats were kept and delivered")


@scenario
def client_removal(machine: Machine, world):
    """An upgrade restarts the agent, a removal stops it and keeps its configuration, a purge leaves nothing."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.install(world.client_deb)
    machine.run(INSTALL)
    pid = subject.show("MainPID", CLIENT)
    machine.run(f"apt-get install -y --reinstall /root/{world.client_deb.name}")
    expect(subject.show("MainPID", CLIENT) not in (pid, "0"), "the agent was not restarted by the upgrade")
    machine.run("apt-get remove -y heartbeat-client")
    equal(machine.out(f"systemctl is-active {CLIENT}"), "inactive", "is-active after the removal")
    expect('to = "http://localhost:7777"' in machine.out(f"cat {CLIENT_CONFIG}"), "the configuration is gone")
    subject.install(world.client_deb, "-o Dpkg::Options::=--force-confold")
    machine.until(f"systemctl is-active {CLIENT}", "the agent is back after a new installation")
    said = machine.run("apt-get purge -y heartbeat-client heartbeat-server").stdout
    packages = f"-not -path '/root/{world.deb.name}' -not -path '/root/{world.client_deb.name}'"
    left = machine.out(f"find / -xdev -name '*heartbeat*' {packages}")
    left += machine.out("find /run /tmp /var/tmp -name '*heartbeat*'")
    equal(left.split(), [], f"files left after the purge, which said:\n{tail(said)}\n")
    equal(machine.out("systemctl list-unit-files --no-legend 'heartbeat*'"), "", "units that systemd still knows")
