"""The package itself: what it holds, upgrade, removal, purge, and `make install` without it."""

import subprocess

from machine import Machine, tail
from registry import host_scenario, make, scenario
from subject import CONFIG, CONTROL, LOG, SERVICE, SOCKET, STATE_DIR, TCP_SOCKET, Subject, equal, expect


@host_scenario
def lintian(_, world):
    """Debian's own checker finds neither errors nor warnings."""
    command = ["lintian", "--allow-root", "-EvIL", "+pedantic", "--fail-on", "error,warning", world.deb, world.client_deb]
    done = subprocess.run(command, capture_output=True, text=True)
    expect(done.returncode == 0, f"lintian says:\n{tail(done.stdout + done.stderr)}")


@host_scenario
def reproducible(_, world):
    """The same source twice gives the same packages to the byte."""
    again = world.scratch / "again"
    again.mkdir()
    make(world.project, "deb", f"DEB_DIR={again}")
    for first in (world.deb, world.client_deb):
        second = again / first.name
        expect(second.read_bytes() == first.read_bytes(), f"{second.name} differs between two builds")


@scenario
def upgrade(machine: Machine, world):
    """An upgrade with clients at work keeps the edited configuration and loses no acknowledged beat."""
    subject = Subject(machine)
    subject.install(world.older_deb)
    machine.run(f"echo '# edited by the administrator' >> {CONFIG}")
    pid = subject.show("MainPID")
    keep, fresh = subject.flow(100, "keep"), subject.flow(100, "fresh", "flow")
    machine.until(f"grep -q 'keep-5$' {LOG} && grep -q 'fresh-5$' {LOG}", "beats arrive")
    subject.install(world.deb, "-o Dpkg::Options::=--force-confold")
    expect(subject.is_active(), f"not active after the upgrade:\n{tail(subject.journal())}")
    expect(subject.show("MainPID") != pid, "the old process still runs")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled")
    equal(machine.out(f"systemctl is-enabled {SOCKET}"), "disabled", "is-enabled of the socket")
    equal(machine.out(f"systemctl is-active {SOCKET}"), "inactive", "is-active of the socket")
    expect("edited by the administrator" in machine.out(f"cat {CONFIG}"), "the edited configuration is gone")
    subject.count(5, "after")
    for flow in (keep, fresh):
        told = flow.stop()
        subject.whole(flow.prefix, told)
        print(f"    {flow.prefix}: {len(told['ok'])} acknowledged, {len(told['failed'])} to be sent again")


@scenario
def upgrade_respects(machine: Machine, world):
    """A service that the administrator disabled and stopped is neither enabled nor started by an upgrade."""
    subject = Subject(machine)
    subject.install(world.older_deb)
    machine.run(f"systemctl disable --now {SERVICE}")
    subject.install(world.deb)
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "disabled", "is-enabled after the upgrade")
    equal(machine.out(f"systemctl is-active {SERVICE}"), "inactive", "is-active after the upgrade")


@scenario
def remove(machine: Machine, world):
    """Removal closes the port and keeps configuration, state and logs; a new installation goes on with them."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(f"echo '# edited by the administrator' >> {CONFIG}")
    subject.count(5, "before")
    machine.run("apt-get remove -y heartbeat-server")
    equal(machine.out("ss -Hltn 'sport = :7777'"), "", "listeners on 7777 after the removal")
    for path in (CONFIG, "/etc/logrotate.d/heartbeat-server", "/var/lib/heartbeat-server", LOG):
        machine.run(f"test -e {path}")
    machine.run("logrotate -f /etc/logrotate.conf")
    subject.install(world.deb, "-o Dpkg::Options::=--force-confold")
    subject.answers()
    expect("edited by the administrator" in machine.out(f"cat {CONFIG}"), "the edited configuration is gone")
    equal(len(subject.ids("before")), 5, "lines from before the removal")


@scenario
def purge(machine: Machine, world):
    """After a purge no file bears our name, with or without the socket having been in use."""
    subject = Subject(machine)
    said = ""
    for use_socket in (False, True):
        subject.install(world.deb)
        if use_socket:
            machine.run(f"systemctl stop {SERVICE}")
            machine.run(f"systemctl enable --now {SOCKET} {TCP_SOCKET}")
        subject.answers()
        # Or there would be nothing to purge.
        machine.run(f"test -s {STATE_DIR}/state.db && test -d {STATE_DIR}/journal && test -S {CONTROL}")
        machine.run("logrotate -f /etc/logrotate.d/heartbeat-server")
        said = machine.run("apt-get purge -y heartbeat-server").stdout
        equal(machine.out("ss -Hltn '( sport = :7777 or sport = :7778 )'"), "", "listeners after the purge")
        # Not ours to remove: the package we installed from lies where the person put it.
        left = machine.out(f"find / -xdev -name '*heartbeat*' -not -path '/root/{world.deb.name}'")
        left += machine.out("find /run /tmp /var/tmp -name '*heartbeat*'")
        equal(left.split(), [], f"files left after the purge, which said:\n{tail(said)}\n")
        units = machine.out("systemctl list-unit-files --no-legend 'heartbeat*'")
        equal(units, "", "units that systemd still knows")


@scenario
def make_install(machine: Machine, world):
    """`make install` gives a service that starts; `make uninstall` leaves only configuration, state and logs."""
    subject = Subject(machine)
    where = (f"DESTDIR={machine.root}", "PREFIX=/usr/local")
    make(world.project, "install", *where)
    machine.run("systemd-sysusers && systemctl daemon-reload && systemctl enable --now heartbeat-server")
    subject.answers()
    expect("/usr/local/sbin/" in subject.show("ExecStart"), "the unit does not start the installed program")
    subject.reload()
    machine.run("logrotate -f /etc/logrotate.d/heartbeat-server")
    subject.count(5, "made")
    equal(len(subject.ids("made", LOG)), 5, "lines after a rotation")
    machine.run("/usr/local/bin/heartbeat install localhost:7777")
    equal(machine.out("systemctl is-active heartbeat-client"), "active", "the agent after `heartbeat install`")
    machine.run("systemctl disable --now heartbeat-client")
    machine.run(f"systemctl disable --now {SERVICE}")
    make(world.project, "uninstall", *where)
    left = machine.out("find / -xdev -name '*heartbeat*' -not -path '/var/*' -not -path '/etc/heartbeat-*'")
    equal(left.split(), [], "files left after `make uninstall`")
