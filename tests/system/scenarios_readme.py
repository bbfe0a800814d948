"""The README, followed to the letter: its commands are run as they stand there, and what it promises is looked at."""

import json
import pathlib
import re
import subprocess

from machine import Failure, Machine, tail
from readme import Walk, blocks
from registry import SERVERS, host_scenario, scenario_with
from subject import CONTROL, SERVICE, SOCKET, TCP_SOCKET, Subject, equal, expect

# What the commands of the README need besides our packages.
SITE = "heartbeat.example.org"

# The blocks that are not tried in a machine, by section and first line, and why. Each must be in the README, and no other.
NOT_RUN = {
    ("Try it", "make run"): "it runs until Ctrl-C; that the target exists is checked here",
    ("Try it", "make test"): "it is what runs this test",
    ("Install", "make deb"): "the packages were built before the first scenario, by this command",
    ("Install", "make rpm"): "no dnf in Debian; the scenario rpm installs, upgrades and removes what it makes",
    ("Install", "tar -xzf heartbeat-server-*-linux-musl.tar.gz"): "the scenario tarball does all that install.sh can",
    ("Install", "brew install ./heartbeat-server.rb"): "macOS; the scenario homebrew looks through the formula",
    ("Install", "make build"): "needs a compiler in the machine; the scenario make_install does it",
    ("launchd", "sudo sh packaging/launchd/install.sh"): "macOS; the scenario launchd_install runs the script under DESTDIR",
    ("launchd", "launchctl print system/com.heartbeat-server"): "macOS",
    ("Other systems", "/usr/sbin/heartbeat-server 8080 --tcp off --state-dir ~/heartbeat --log file:$HOME/heartbeat/heartbeat_server.log --lang zh"): (
        "it runs until Ctrl-C; the integration tests of seed0 start it so"
    ),
    ("The client", "# /etc/heartbeat-server/conf.d/backup.toml"): "a rule like those that States and rules tries",
    ("TLS", "sudo apt install certbot"): "asks Let's Encrypt over the Internet; its files are put where it puts them",
    ("Upgrade", "git pull"): "needs a checkout with a remote",
    ("Configuration", "2026-02-08 11:30:15 - server started, listening on port 7777"): "an example of a log",
    ("Beats", 'const ws = new WebSocket("ws://localhost:7777/ws");'): "for a browser; browser-test does it",
    ("Alerts", "sudo heartbeat-server test-alert ops"): "ntfy.example.org does not exist; scenarios_alerts.py has receivers",
    ("Page and API", "[![nas](http://localhost:7777/badge/nas.svg)](http://localhost:7777/monitors/nas)"): "Markdown",
}
# The sections that a scenario follows; filled by its decorator.
FOLLOWED = set()


def follows(*sections: str):
    """Makes a function a scenario that follows these sections in a machine of its own."""

    def decorate(function):
        FOLLOWED.update(sections)
        return scenario_with(SERVERS)(function)

    return decorate


class Reader:
    """Somebody with a machine, our packages and the README."""

    def __init__(self, machine: Machine, world, installed: bool = True):
        self.machine = machine
        self.world = world
        self.subject = Subject(machine)
        # Both want the ports of the web; a section that needs one starts it.
        machine.run("systemctl disable --now nginx caddy haproxy")
        machine.write("/etc/hosts", f"127.0.0.1 localhost {SITE} {machine.out('hostname')}\n::1 localhost\n")
        if installed:
            self.subject.install(world.deb)

    def open(self, section: str) -> Walk:
        """The README at a section."""
        return Walk(self.machine, self.world.project / "README.md", section)

    def packages(self, *files: pathlib.Path):
        """Puts packages where `make deb` leaves them."""
        self.machine.run("mkdir -p /root/heartbeat-server/target/debian")
        for file in files:
            self.machine.copy(file, "/root/heartbeat-server/target/debian/")

    def signed(self, name: str, folder: str, certificate: str = "fullchain.pem", key: str = "privkey.pem"):
        """A certificate where some authority's client would have put one; for root, as they do."""
        self.machine.run(
            f"mkdir -p {folder} && chmod 700 {folder} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
            f" -nodes -days 90 -subj /CN={name} -addext subjectAltName=DNS:{name}"
            f" -keyout {folder}/{key} -out {folder}/{certificate} 2>&1"
        )


@host_scenario
def readme_blocks(_, world):
    """Each block of the README is tried or has a reason not to be; both languages have the same ones."""
    english, chinese = (blocks(world.project / name) for name in ("README.md", "README.zh.md"))
    left_out = {(each.section, each.first) for each in english if each.kind == "not run"}
    equal(sorted(left_out - NOT_RUN.keys()), [], "blocks that are marked as not run, without a reason in NOT_RUN")
    equal(sorted(NOT_RUN.keys() - left_out), [], "blocks of NOT_RUN that the README does not have")
    tried = {each.section for each in english if each.kind != "not run"}
    equal(sorted(tried - FOLLOWED), [], "sections with blocks to be tried that no scenario follows")
    equal(sorted(FOLLOWED - tried), [], "sections that are followed and have nothing to be tried")
    for one, other in zip(english, chinese):
        both = f"README.md:{one.line} and README.zh.md:{other.line}"
        equal((other.kind, other.path, other.language), (one.kind, one.path, one.language), f"the kinds of {both}")
        # The lines of a log are in the reader's language.
        if one.language != "text" and one.bare() != other.bare():
            raise Failure(f"{both} differ in more than remarks:\n{tail(one.bare())}\n  and\n{tail(other.bare())}")
    equal(len(chinese), len(english), "blocks in README.zh.md")
    for line in "\n".join(each.text for each in english).splitlines():
        target = re.match(r"(?:sudo )?make (\S+)$", line)
        if target:
            done = subprocess.run(["make", "-n", target[1]], cwd=world.project, capture_output=True, text=True)
            equal(done.returncode, 0, f"exit code of `make -n {target[1]}` ({tail(done.stderr)})")
    for name in ("README.md", "README.zh.md"):
        links(world.project / name)


def links(path: pathlib.Path):
    """Fails where a link of a README leads nowhere: a file that is not there, a heading that is not."""
    text = path.read_text()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M), re.M)
    # As GitHub makes them.
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            expect(target[1:] in anchors, f"{path.name} has no heading for {target}")
        elif not target.startswith("http"):
            expect((path.parent / target).exists(), f"{path.name} links to {target}, which is not there")


@follows("Install", "First beat", "Beats", "The client", "States and rules", "Alerts", "Page and API")
def readme_first_hour(machine: Machine, world):
    """From the installation to rules and alerts, in the order of the README."""
    reader = Reader(machine, world, installed=False)
    reader.packages(world.deb, world.client_deb)
    walk = reader.open("Install")
    walk.next("sudo apt install ./target/debian/heartbeat-server_*.deb")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled")
    equal(sorted(machine.out("ss -Hltn | grep -o ':777[0-9]' | sort -u").split()), [":7777", ":7778"], "open ports")
    walk.end()

    walk = reader.open("First beat")
    said = walk.next("curl -X POST http://localhost:7777")
    for wanted in ('{"status":"ok"}', "<!doctype html>", "HTTP/1.1 200 OK"):
        expect(wanted.lower() in said.lower(), f"the first beat, the page and its headers lack {wanted}:\n{tail(said)}")
    logged = "heartbeat received - from: 127.0.0.1, reported IP: 192.168.1.100"
    expect(any(logged in line for line in reader.subject.lines()), f"the log has no line {logged!r}")
    said = walk.next("curl -fsS -m 10")
    job = json.loads(said[said.index('{"id"') :])
    equal((job["id"], job["state"], job["interval_s"]), ("backup", "up", 86400), "the job's id, state and interval")
    expect("run_took_s" in job, f"how long the job took is not told: {job}")
    walk.end()

    walk = reader.open("Beats")
    said = walk.next("curl -d '[")
    expect(said.count('"accepted":1') + said.count('"accepted":2') == 2, f"what was accepted is not told:\n{tail(said)}")
    expect('"rejected":[{' in said, f"what was rejected is not told:\n{tail(said)}")
    equal(reader.subject.monitor("web-2")["state"], "down", "the state of the one that said fail")
    equal(walk.next("printf 'BEAT nas").split(), ["OK", "30", "PONG"], "the answers over raw TCP")
    walk.end()

    walk = reader.open("The client")
    said = walk.next("sudo apt install ./target/debian/heartbeat-client_*.deb")
    expect("has answered the first beat of" in said, f"`heartbeat install` says:\n{tail(said)}")
    equal(machine.out("systemctl is-active heartbeat-client"), "active", "is-active of the agent")
    said = walk.next("heartbeat send --id nas -m 'all well'")
    expect("all well" in said, f"`heartbeat show` does not show the message:\n{tail(said)}")
    found = machine.out("curl -s -o /dev/null -w '%{http_code}' http://localhost:7777/api/v1/monitors/nas")
    equal(found, "404", "the monitor after `heartbeat remove`")
    walk.end()

    walk = reader.open("States and rules")
    walk.file("/etc/heartbeat-server/conf.d/monitors.toml")
    walk.next("sudo systemctl reload heartbeat-server")
    equal(reader.subject.monitor("nightly-backup")["state"], "new", "the state of the declared job")
    equal(reader.subject.monitor("web-1")["interval_s"], 30, "the interval that the rule for web-* gives")
    found = machine.out("curl -s -o /dev/null -w '%{http_code}' http://localhost:7777/api/v1/monitors/printer")
    equal(found, "404", "the monitor that was declared and removed")
    walk.end()

    walk = reader.open("Alerts")
    walk.file("/etc/heartbeat-server/conf.d/alerts.toml")
    said = walk.next("sudo heartbeat-server check-config")
    expect("ops" in said and '"alerts":' in said, f"check-config and the API say nothing of alerts:\n{tail(said)}")
    walk.end()

    walk = reader.open("Page and API")
    said = walk.next("curl -s 'http://localhost:7777/api/v1/monitors?state=down&limit=10'")
    for wanted in ('"id":"web-2"', '"monitor":"web-2"', '"version":"', "event: hello", 'heartbeat_monitors{state="down"} 1'):
        expect(wanted in said, f"what the API says lacks {wanted}:\n{tail(said)}")
    walk.end()


@follows("systemd")
def readme_systemd(machine: Machine, world):
    """Status, reload, off and on, a port below 1024 by the socket unit and back, a token as a credential."""
    reader = Reader(machine, world)
    subject = reader.subject
    subject.answers()
    walk = reader.open("systemd")
    said = walk.next("systemctl status heartbeat-server")
    expect(re.search(r"\d+ up, \d+ late, \d+ down", said), f"the status line has no numbers:\n{tail(said)}")
    expect("heartbeat received" in said, f"the log is not shown:\n{tail(said)}")
    walk.next("sudo systemctl disable --now heartbeat-server")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled after off and on")
    expect('"status":"ok"' in walk.next("sudo mkdir -p /etc/systemd/system/heartbeat-server.socket.d"), "port 80 is silent")
    equal(machine.out(f"systemctl is-active {SERVICE}"), "active", "is-active, started by a beat to port 80")
    walk.next("sudo systemctl disable --now heartbeat-server.socket heartbeat-server-tcp.socket")
    equal(machine.out("ss -Hltn 'sport = :80'"), "", "listeners on port 80 in the end")
    for socket in (SOCKET, TCP_SOCKET):
        equal(machine.out(f"systemctl is-enabled {socket}"), "disabled", f"is-enabled of {socket}")
    subject.answers()
    walk.next("sudo install -m 600")
    walk.file("/etc/systemd/system/heartbeat-server.service.d/tokens.conf")
    walk.file("/etc/heartbeat-server/conf.d/tokens.toml")
    expect('"status":"ok"' in walk.next("sudo systemctl daemon-reload"), "the beat with the token is not taken")
    expect(" 401 " in subject.post(), "a beat without a token is taken")
    said = walk.next("sudo mkdir -p /etc/systemd/system/heartbeat-server.service.d")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    expect(found and float(found[1]) <= 0.3, f"systemd rates the exposure of the lockdown so:\n{tail(said)}")
    equal(subject.show("PrivateNetwork"), "yes", "PrivateNetwork= of the service")
    expect("AUTH TOKEN" in subject.line("PING"), "raw TCP is silent, or does not want the token")
    walk.end()


@follows("Other systems", "Firewall")
def readme_elsewhere(machine: Machine, world):
    """Without a service manager it goes into the background; the firewall opens for a network and closes again."""
    reader = Reader(machine, world)
    walk = reader.open("Other systems")
    machine.run(f"systemctl stop {SERVICE}")
    walk.next("sudo heartbeat-server 8080 --daemon")
    machine.until("! ss -Hltn 'sport = :8080' | grep -q .", "the daemon ends when it is told to")
    walk.end()

    walk = reader.open("Firewall")
    machine.run("nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }'")
    before = machine.out("nft list ruleset")
    said = walk.next("sudo heartbeat-server firewall open --dry-run")
    expect("nft" in said and "10.20.0.0/16" in said, f"it does not say what it does:\n{tail(said)}")
    equal(machine.out("nft list ruleset"), before, "the rules after open and close")
    walk.end()


@follows("Behind nginx or Caddy")
def readme_proxy(machine: Machine, world):
    """Through nginx, Caddy and HAProxy a beat shows its sender's own address, whatever the sender says of itself."""
    reader = Reader(machine, world)
    # Two addresses that are neither loopback's nor the proxy's.
    machine.run("ip address add 192.168.77.1/24 dev lo && ip address add 192.168.77.2/24 dev lo")
    reader.signed(SITE, f"/etc/letsencrypt/live/{SITE}")
    # Caddy finds in its store what it would have asked Let's Encrypt for.
    store = f"/var/lib/caddy/.local/share/caddy/certificates/acme-v02.api.letsencrypt.org-directory/{SITE}"
    reader.signed(SITE, store, f"{SITE}.crt", f"{SITE}.key")
    machine.write(f"{store}/{SITE}.json", json.dumps({"sans": [SITE], "issuer_data": None}))
    machine.run(f"chown -R caddy: /var/lib/caddy && cat {store}/*.crt /etc/letsencrypt/live/{SITE}/fullchain.pem > /root/ca.pem")
    # curl's own settings, so that its commands stay as they are written.
    machine.write(
        "/root/.curlrc", f'cacert = "/root/ca.pem"\nresolve = "{SITE}:443:192.168.77.1"\ninterface = "192.168.77.2"\n'
    )
    walk = reader.open("Behind nginx or Caddy")
    walk.file("/etc/heartbeat-server/conf.d/proxy.toml")
    said = walk.next("sudo heartbeat-server check-config")
    expect("127.0.0.1:7777" in said, f"check-config says:\n{tail(said)}")
    equal(machine.out("ss -Hltn 'sport = :7777' | awk '{print $4}'"), "127.0.0.1:7777", "the address on port 7777")
    walk.file("/etc/nginx/conf.d/heartbeat.conf")
    machine.run("systemctl start nginx")
    walk.next("sudo nginx -t")
    through(machine, "nginx")
    upgraded = machine.out(
        "curl -s --http1.1 -m 3 -i -N -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'"
        f" -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' https://{SITE}/ws | head -1"
    )
    expect(" 101 " in upgraded, f"a WebSocket through nginx: {upgraded}")
    machine.run("systemctl stop nginx && systemctl start caddy")
    walk.file("/etc/caddy/Caddyfile")
    walk.next("sudo systemctl reload caddy")
    machine.until(f"curl -fsS https://{SITE}/healthz", "Caddy answers")
    through(machine, "Caddy")
    walk.file("/etc/haproxy/haproxy.cfg")
    machine.run("systemctl start haproxy")
    walk.next("sudo systemctl reload haproxy")
    machine.until("curl -fsS http://192.168.77.1:8080/healthz", "HAProxy answers")
    through(machine, "HAProxy", "http://192.168.77.1:8080")
    said = walk.next("curl -fsS -d")
    expect('"address":"192.168.77.2"' in said, f"the monitor does not show its sender's address:\n{tail(said)}")
    # Raw TCP through HAProxy, as the README says in words.
    path = "/etc/heartbeat-server/conf.d/proxy.toml"
    config = machine.out(f"cat {path}")
    raw = 'address = "127.0.0.1:7778"\nproxies = ["127.0.0.1"]\nproxy_header = "proxy-protocol"'
    expect('address = "7778"' in config, "proxy.toml has no listener on 7778")
    machine.write(path, config.replace('address = "7778"', raw) + "\n")
    machine.run(f"heartbeat-server check-config && systemctl restart {SERVICE}")
    machine.until("printf 'BEAT raw-one\n' | nc -w 3 -s 192.168.77.2 192.168.77.1 8778 | grep -q OK", "raw TCP is answered")
    found = machine.out("curl -fsS http://192.168.77.1:8080/api/v1/monitors/raw-one")
    expect('"address":"192.168.77.2"' in found, f"over raw TCP the sender is not known by its address:\n{tail(found)}")
    walk.end()


def through(machine: Machine, proxy: str, site: str = f"https://{SITE}"):
    """A beat through the proxy bears the sender's address, in its id as in the log, whatever the sender claims."""
    claims = "-H 'X-Forwarded-For: 10.9.9.9' -H 'Forwarded: for=10.9.9.9' -H 'X-Real-IP: 10.9.9.9'"
    machine.run(f"curl -fsS {claims} -d '{{}}' {site}/")
    machine.run(f"curl -fsS -H 'Forwarded: x' -d '{{}}' {site}/")
    found = machine.out(f"curl -fsS {site}/api/v1/monitors/192.168.77.2")
    unknown = machine.out(f"curl -s -o /dev/null -w '%{{http_code}}' {site}/api/v1/monitors/10.9.9.9")
    equal(unknown, "404", f"a claim through {proxy} is")
    expect('"address":"192.168.77.2"' in found, f"through {proxy} the sender is not known by its address:\n{tail(found)}")


@follows("TLS")
def readme_tls(machine: Machine, world):
    """A certificate of one's own for both protocols, then Let's Encrypt's by credentials, renewed by the hook."""
    reader = Reader(machine, world)
    reader.subject.install(world.client_deb)
    walk = reader.open("TLS")
    walk.next("sudo install -d -m 750")
    walk.file("/etc/heartbeat-server/conf.d/tls.toml")
    said = walk.next("sudo heartbeat-server check-config")
    expect('{"status":"ok"}' in said, f"no beat was answered over TLS:\n{tail(said)}")
    own = "/etc/heartbeat-server/tls"
    equal(shown(machine), serial(machine, f"{own}/cert.pem"), "the certificate that is shown")
    reader.signed(SITE, own, "cert.pem", "key.pem")
    machine.run(f"chgrp heartbeat-server {own} {own}/key.pem && chmod 750 {own} && chmod 640 {own}/key.pem")
    reader.subject.reload()
    equal(shown(machine), serial(machine, f"{own}/cert.pem"), "the certificate that is shown after a reload")

    live = f"/etc/letsencrypt/live/{SITE}"
    reader.signed(SITE, live)
    walk.file("/etc/systemd/system/heartbeat-server.service.d/tls.conf")
    walk.file("/etc/heartbeat-server/conf.d/tls.toml")
    walk.file("/etc/letsencrypt/renewal-hooks/deploy/heartbeat-server")
    walk.next("sudo chmod 755 /etc/letsencrypt/renewal-hooks/deploy/heartbeat-server")
    equal(shown(machine), serial(machine, f"{live}/fullchain.pem"), "the certificate that is shown, a credential")
    reader.signed(SITE, live)
    # certbot runs all that can be run in this folder.
    machine.run("run-parts --exit-on-error --verbose /etc/letsencrypt/renewal-hooks/deploy")
    equal(shown(machine), serial(machine, f"{live}/fullchain.pem"), "the certificate that is shown after a renewal")
    machine.run(f"curl -fsS --cacert {live}/fullchain.pem -d '{{}}' https://{SITE}:7777/")
    walk.end()


def serial(machine: Machine, path: str) -> str:
    """The number of a certificate."""
    return machine.run(f"openssl x509 -noout -serial -in {path}").stdout.strip()


def shown(machine: Machine) -> str:
    """The number of the certificate that port 7777 shows."""
    return machine.run(f"openssl s_client -connect {SITE}:7777 </dev/null 2>/dev/null | openssl x509 -noout -serial").stdout.strip()


@follows("Backup and restore")
def readme_backup(machine: Machine, world):
    """What one machine knew another one knows after the restore: monitors, an open incident, the configuration."""
    reader = Reader(machine, world)
    machine.write("/etc/heartbeat-server/conf.d/own.toml", '[defaults]\ninterval = "120s"\n')
    reader.subject.reload()
    reader.subject.count(20, "kept")
    reader.subject.post('{"id": "ill", "status": "fail", "message": "no paper"}')
    walk = reader.open("Backup and restore")
    walk.next("sudo mkdir -m 700 /var/backups/heartbeat")
    known = {name: (each["beats"], each["interval_s"]) for name, each in reader.subject.monitors("*").items()}
    incident = open_incident(reader.subject)
    with Machine(machine.image, "restored") as fresh:
        newcomer = Reader(fresh, world)
        newcomer.subject.answers()
        fresh.copy(machine.root / "var/backups/heartbeat.tar.gz", "/var/backups/")
        walk.goes_to(fresh)
        walk.next("sudo systemctl stop heartbeat-server")
        found = {name: (each["beats"], each["interval_s"]) for name, each in newcomer.subject.monitors("*").items()}
        equal(found, known, "monitors with their beats and intervals after the restore")
        equal(open_incident(newcomer.subject), incident, "the incident after the restore")
        newcomer.subject.answers()
        said = walk.next("sudo sqlite3 -box /var/lib/heartbeat-server/state.db")
        expect("ill" in said, f"state.db does not show the incident:\n{tail(said)}")
    walk.end()


def open_incident(subject: Subject) -> dict:
    """The one open incident; it is put on record a moment after it began."""
    ask = "curl -s http://localhost:7777/api/v1/incidents?open=true"
    [found] = json.loads(subject.machine.until(f"{ask} | grep '\"id\"'", "there is an open incident"))["incidents"]
    # It grows.
    del found["duration_s"]
    return found


@follows("Upgrade", "Troubleshooting", "Security")
def readme_upkeep(machine: Machine, world):
    """An upgrade with clients at work; every command and every complaint of the troubleshooting; tokens, one more network."""
    reader = Reader(machine, world, installed=False)
    subject = reader.subject
    subject.install(world.older_deb)
    flow, fresh = subject.flow(100, "flow"), subject.flow(100, "fresh", "flow")
    subject.post('{"id": "nas"}')
    machine.write("/etc/heartbeat-server/conf.d/own.toml", '[[monitor]]\nmatch = "declared"\ninterval = "60s"\n')
    machine.until("grep -q 'flow-20$' /var/log/heartbeat-server/heartbeat-server.log", "beats arrive")
    reader.packages(world.deb)
    walk = reader.open("Upgrade")
    said = walk.next("sudo apt install ./target/debian/heartbeat-server_*.deb")
    expect("heartbeat-server 0." in said and "active (running)" in said, f"the upgrade says:\n{tail(said)}")
    walk.end()
    machine.until("curl -s http://localhost:7777/api/v1/monitors/nas | grep -q '\"state\":\"up\"'", "nas is up after the upgrade")
    for each in (flow, fresh):
        told = each.stop()
        subject.whole(each.prefix, told)
        equal((told["failed"], told["reasons"]), ([], []), f"beats that failed during the upgrade, of {each.prefix}")

    walk = reader.open("Troubleshooting")
    said = walk.next("systemctl status heartbeat-server")
    expect("active (running)" in said and "ready" in said, f"it is not said to be well:\n{tail(said)}")
    said = walk.next("sudo ss -ltnp")
    for port in ("7777", "7778"):
        expect(re.search(rf":{port} .*heartbeat-serve", said), f"ss does not show who has port {port}:\n{tail(said)}")
    expect("HTTP/1.1 200 OK" in walk.next("sudo heartbeat-server firewall status"), "/healthz is silent")
    said = walk.next("curl -fsS -d")
    expect(re.search(r'"skew_ms":-?\d', said), f"how far the clock is off is not told:\n{tail(said)}")
    walk.next("df -h /var/lib/heartbeat-server /var/log/heartbeat-server")
    walk.end()
    complaints(machine, (world.project / "README.md").read_text())

    walk = reader.open("Security")
    walk.next("for kind in beat admin; do")
    walk.file("/etc/heartbeat-server/conf.d/access.toml")
    expect('{"status":"ok"}' in walk.next("sudo heartbeat-server check-config"), "the beat with a token is not taken")
    token = '-H "Authorization: Bearer $(tail -n 1 /etc/heartbeat-server/%s.tokens)"'
    for options, wanted in (
        ("-d '{}'", "401"),
        (f"{token % 'beat'} -d '{{}}'", "200"),
        (f"{token % 'beat'} -X PUT -d '{{}}'", "401"),
        (f"{token % 'admin'} -X PUT -d '{{}}'", "201"),
    ):
        where = "localhost:7777/api/v1/monitors/lab" if "PUT" in options else "203.0.113.9:7777/ --interface 203.0.113.9"
        told = machine.out(f"curl -s -w ' %{{http_code}}' {options} http://{where}")
        expect(told.endswith(f" {wanted}"), f"{options} is answered {told}, not {wanted}")
    walk.end()


def complaints(machine: Machine, readme: str):
    """What the table says that people see is what they see."""
    machine.run("ip address add 203.0.113.9/24 dev lo")
    daemon = "timeout 30 heartbeat-server --tcp off"
    curl, api = "curl -s -w ' %{http_code}'", "http://localhost:7777/api/v1/monitors"
    for row, command, wanted in (
        (
            "`the address is in use, held by …` (69)",
            f"{daemon} --http 7777 --state-dir /tmp/other 2>&1; echo $?",
            r"the address is in use, held by .*\n69$",
        ),
        (
            "`the state directory … is in use` (69)",
            f"{daemon} --http 8080 --state-dir /var/lib/heartbeat-server 2>&1; echo $?",
            r"the state directory .* is in use.*\n69$",
        ),
        (
            "`permission denied; ports below 1024 …` (77)",
            f"setpriv --reuid nobody --clear-groups --inh-caps=-all {daemon} --http 80 --state-dir /tmp/nobody 2>&1; echo $?",
            r"permission denied; ports below 1024 .*\n77$",
        ),
        (
            "403 `not allowed from …`",
            f"{curl} --interface 203.0.113.9 -d '{{}}' http://203.0.113.9:7777/",
            "not allowed from .* 403$",
        ),
        ("403 `no token for this is configured`", f"{curl} -X PUT -d '{{}}' {api}/x", "no token for this is configured.* 403$"),
        (
            "409 `the configuration declares this monitor`",
            f"{curl} -X DELETE --unix-socket {CONTROL} {api}/declared",
            "the configuration declares this monitor.* 409$",
        ),
    ):
        expect(f"\n| {row} | " in readme, f"README.md has no row for {row}")
        said = machine.out(command)
        expect(re.search(wanted, said, re.S), f"for {row} it says:\n{tail(said)}")
