"""The firewall command, with packets from another host: what is blocked, what is let in, and what is left as it was.

Each firewall is set up as an administrator would, with rules of his own; what they were at the beginning they have to
be at the end.
"""

import contextlib

from machine import Machine, tail
from registry import scenario, scenario_with
from scenarios_network import PRIVATE_SERVER, PUBLIC_SERVER, Host, other_host
from subject import Subject, equal, expect

# Both keep themselves out of the way of the other scenarios' machines.
FIREWALLS = "firewalld,ufw"
PRIVATE_NETWORK = "192.168.77.0/24"
V6, V6_SERVER, V6_NETWORK = "fd77::9", "fd77::1", "fd77::/64"
EVERYONE = {PRIVATE_SERVER, PUBLIC_SERVER, V6_SERVER}

# An administrator's own: two services of his, and somebody he wants nothing of.
NFT = """\
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		ct state established,related accept
		meta l4proto ipv6-icmp accept
		ip saddr 198.51.100.7 drop
		tcp dport { 22, 7778 } ip saddr 198.51.100.0/24 accept comment "by hand"
	}
	chain early {
		type filter hook input priority filter - 10; policy accept;
	}
}
table ip more {
	chain in {
		type filter hook input priority filter + 10; policy accept;
		tcp dport 1-21 reject
		tcp dport 22 accept
		tcp dport 23-9999 drop
	}
}
"""
IPTABLES = " && ".join(
    f"{program} -A INPUT -i lo -j ACCEPT && {program} -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    f" && {program} -A INPUT -p {icmp} -j ACCEPT && {program} -A INPUT -p tcp --dport 22 -j ACCEPT"
    f" && {program} -A INPUT -s {someone} -p tcp --dport 7777 -m comment --comment 'by hand' -j DROP"
    f" && {program} -P INPUT DROP"
    for program, icmp, someone in (("iptables", "icmp", "198.51.100.7"), ("ip6tables", "icmpv6", "2001:db8::7"))
)


@scenario_with(FIREWALLS)
def firewall_firewalld(machine: Machine, world):
    """firewalld: blocked, open, open to one network, closed, twice each, over a reload, other rules untouched."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run("systemctl restart firewalld && firewall-cmd --permanent --add-port=9999/tcp && firewall-cmd --reload")
    machine.run("firewall-cmd --add-rich-rule='rule family=ipv4 source address=198.51.100.7 port port=7777 protocol=tcp drop'")
    rules = "firewall-cmd --list-all-zones; firewall-cmd --permanent --list-all-zones"
    with far_host(machine) as host:
        # Both ports are the service of our name, one of them is a rule of its own.
        said = walk(machine, host, "firewalld", rules)
        expect("--add-service=heartbeat-server" in said, f"the service is not used:\n{tail(said)}")
        walk(machine, host, "firewalld", rules, "--http")
        # What is written only at run time is gone after a reload, what only in the files not there before it.
        machine.run("heartbeat-server firewall open")
        sees(host, EVERYONE, "before the reload")
        machine.run("firewall-cmd --reload")
        sees(host, EVERYONE, "after the reload")
        expect("nothing to do" in machine.run("heartbeat-server firewall open").stdout, "open after a reload")
        machine.run("heartbeat-server firewall close && firewall-cmd --reload")
        sees(host, set(), "closed and reloaded")


@scenario_with(FIREWALLS)
def firewall_ufw(machine: Machine, world):
    """ufw: blocked, open, open to one network, closed, twice each, over a reload, other rules untouched."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run("systemctl stop firewalld && ufw --force enable")
    machine.run("ufw allow 22/tcp && ufw deny 9999 && ufw allow from 198.51.100.0/24 to any port 7777 proto tcp")
    with far_host(machine) as host:
        walk(machine, host, "ufw", "ufw show added")
        machine.run("heartbeat-server firewall open && ufw reload")
        sees(host, EVERYONE, "after a reload")
        machine.run("heartbeat-server firewall close")
        # A rule in our own words that somebody else wrote is his before and after.
        machine.run("ufw allow 7777/tcp comment 'by hand'")
        machine.run("heartbeat-server firewall open && heartbeat-server firewall close")
        sees(host, EVERYONE, "open by somebody else's rule")
        machine.run("ufw delete allow 7777/tcp")
        # The profile for use by hand.
        machine.run("ufw allow heartbeat-server")
        sees(host, EVERYONE, "open by the profile")
        expect("allow heartbeat-server" in machine.run("heartbeat-server firewall status").stdout, "status hides the profile")


@scenario
def firewall_nft(machine: Machine, world):
    """nft: blocked, open in every chain, open to one network, closed, twice each, other rules untouched."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write("/root/rules.nft", NFT)
    machine.run("nft -f /root/rules.nft")
    with far_host(machine) as host:
        said = walk(machine, host, "nft", "nft list ruleset")
        expect("/etc/nftables.conf" in said, f"it does not say that nft forgets:\n{tail(said)}")


@scenario
def firewall_iptables(machine: Machine, world):
    """iptables and ip6tables: blocked, open, open to one network, closed, twice each, other rules untouched."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.run(IPTABLES)
    with far_host(machine) as host:
        walk(machine, host, "iptables", "iptables -S; ip6tables -S")
        # Both keep packets out, so both are opened.
        machine.write("/root/rules.nft", NFT.replace("flush ruleset\n", ""))
        machine.run("nft -f /root/rules.nft")
        sees(host, set(), "behind two firewalls")
        said = machine.run("heartbeat-server firewall open").stdout
        expect("ip6tables" in said and "nft insert" in said, f"two firewalls were not both opened:\n{tail(said)}")
        sees(host, EVERYONE, "open in both")
        machine.run("heartbeat-server firewall close --backend nft")
        sees(host, set(), "closed in one of them")
        machine.run("heartbeat-server firewall close")
        left = machine.out("nft list ruleset; iptables -S; ip6tables -S | grep heartbeat")
        expect("heartbeat" not in left, f"rules are left:\n{tail(left)}")


@scenario
def firewall_words(machine: Machine, world):
    """Without root it refuses with 77, without a firewall it says so; loopback needs no opening, a missing backend is named."""
    subject = Subject(machine)
    subject.install(world.deb)
    for action in ("open", "close", "status"):
        done = machine.run(f"runuser -u nobody -- heartbeat-server firewall {action}", check=False)
        equal(done.returncode, 77, f"exit code of {action} without root")
        expect("root" in done.stdout, f"{action} does not say that it needs root: {done.stdout}")
        said = machine.run(f"heartbeat-server firewall {action}").stdout
        if action != "close":
            expect("no firewall is active" in said, f"{action} without a firewall says:\n{tail(said)}")
    done = machine.run("heartbeat-server firewall open --backend ufw", check=False)
    equal(done.returncode, 69, "exit code for a firewall that is not there")
    expect("there is no ufw" in done.stdout, done.stdout)
    machine.run(IPTABLES)
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", '[[listen]]\naddress = "127.0.0.1:7777"\n')
    said = machine.run("heartbeat-server firewall open --http").stdout
    expect("127.0.0.1:7777 (http) is for this machine only" in said, f"a loopback listener:\n{tail(said)}")
    expect("heartbeat" not in machine.out("iptables -S"), "a loopback listener was opened")
    # What fails is shown, in the words of whoever failed.
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", '[[listen]]\naddress = "7777"\n')
    # Which of its programs it is to be it reads from the name by which it is called.
    machine.run("mkdir /root/kept && mv /usr/sbin/iptables /root/kept/iptables")
    fails = "case \"$*\" in *-I*) echo no more memory >&2; exit 4;; esac"
    machine.write("/usr/sbin/iptables", f'#!/bin/sh\n{fails}\nexec /root/kept/iptables "$@"\n')
    machine.run("chmod 755 /usr/sbin/iptables")
    done = machine.run("heartbeat-server firewall open", check=False)
    equal(done.returncode, 69, "exit code when a command fails")
    expect("ended with 4" in done.stdout and "no more memory" in done.stdout, f"what failed is not shown:\n{done.stdout}")


def walk(machine: Machine, host: Host, backend: str, rules: str, options: str = "") -> str:
    """Opens and closes in every way; what the first opening said."""
    command = "heartbeat-server firewall"
    before = machine.out(rules)
    # Once it has answered from here it is there to be reached.
    machine.until("curl -sS -f --max-time 30 http://localhost:7777/healthz", "the service answers")
    sees(host, set(), f"before anything is opened in {backend}")
    status = machine.run(f"{command} status {options}").stdout
    expect(backend in status and "not opened by" in status, f"status at the beginning:\n{tail(status)}")

    commands = machine.run(f"{command} open --dry-run {options} 2>/dev/null").stdout
    equal(machine.out(rules), before, "the rules after a dry run")
    expect(commands, "a dry run printed no commands")
    machine.run(commands)
    sees(host, EVERYONE, "after the commands of the dry run")
    expect("nothing to do" in machine.run(f"{command} open {options}").stdout, "open after its own commands has more to do")
    machine.run(f"{command} close")
    equal(machine.out(rules), before, "the rules after close")

    opened = machine.run(f"{command} open {options}").stdout
    expect("open to everyone" in opened and backend in opened, f"open says:\n{tail(opened)}")
    sees(host, EVERYONE, "open")
    sees_tcp(host, options != "--http", f"open {options}")
    expect("nothing to do" in machine.run(f"{command} open {options}").stdout, "open twice is not the same as once")
    status = machine.run(f"{command} status {options}").stdout
    expect("7777 (http)" in status and "open to everyone" in status, f"status while open:\n{tail(status)}")

    machine.run(f"{command} open --from {PRIVATE_NETWORK} {options}")
    sees(host, {PRIVATE_SERVER}, "open to one network, after it was open to everyone")
    machine.run(f"{command} close")
    sees(host, set(), "closed again")
    sees_tcp(host, False, "closed again")
    expect("nothing to do" in machine.run(f"{command} close").stdout, "close twice is not the same as once")
    equal(machine.out(rules), before, "the rules after close")

    for _ in range(2):
        machine.run(f"{command} open --from {PRIVATE_NETWORK} --from {V6_NETWORK} {options}")
    sees(host, {PRIVATE_SERVER, V6_SERVER}, "open to two networks")
    machine.run(f"{command} close --from {PRIVATE_NETWORK}")
    sees(host, {V6_SERVER}, "closed to one of two")
    machine.run(f"{command} close")
    sees(host, set(), "closed at the end")
    equal(machine.out(rules), before, "the rules at the end")
    return opened


def sees_tcp(host: Host, wanted: bool, when: str):
    """Fails unless the other host reaches the port of raw TCP, or does not."""
    patience = 60 if wanted else 2
    connects = f"import socket; socket.create_connection((\"{PRIVATE_SERVER}\", 7778), {patience})"
    done = host.machine.run(host.line(f"python3 -c '{connects}'"), check=False)
    equal(done.returncode == 0, wanted, f"{when}: 7778 is reached ({tail(done.stdout, 1)})")


def sees(host: Host, wanted: set, when: str):
    """Fails unless the other host reaches exactly these of our addresses."""
    for address in sorted(EVERYONE):
        shown = f"[{address}]" if ":" in address else address
        # Whoever is shut out hears nothing: then the wait is in vain. Where an answer is expected it may take long.
        patience = "--max-time 60" if address in wanted else "--connect-timeout 2 --max-time 30"
        asked = host.line(f"curl -sS -o /dev/null {patience} http://{shown}:7777/healthz")
        done = host.machine.run(asked, check=False)
        reached = done.returncode == 0
        equal(reached, address in wanted, f"{when}: {address} is reached ({done.stdout.strip()})")


@contextlib.contextmanager
def far_host(machine: Machine):
    """Another host that speaks IPv6 too."""
    with other_host(machine) as host:
        machine.run("sysctl -q net.ipv6.conf.all.disable_ipv6=0", check=False)
        machine.run(f"ip addr add {V6_SERVER}/64 dev outside nodad")
        machine.run(host.line(f"ip addr add {V6}/64 dev wire nodad"))
        yield host
