"""Alerts from the packaged service to real receivers: a program under the unit's confinement, a web service, a mail server."""

import pathlib

from machine import Machine, tail
from registry import SERVERS, scenario_with
from subject import STATE_DIR, Subject, expect

PROGRAM = """#!/bin/sh
# What hooks are made of: a shell, the usual tools, a request, the system's log.
set -e
cat > "$STATE_DIRECTORY/$HEARTBEAT_KIND.json"
echo "$HEARTBEAT_KIND $HEARTBEAT_MONITOR $(date +%s)" >> "$STATE_DIRECTORY/told"
curl -fsS -m 10 http://127.0.0.1:9098/from-the-program > /dev/null
logger -t told "$HEARTBEAT_TEXT"
python3 -c 'print("and python")' >> "$STATE_DIRECTORY/told"
"""
CONFIG = """
[defaults]
interval = "2s"
grace = "1s"
notify = ["program", "web", "post"]
[[notifier]]
name = "program"
type = "exec"
command = ["/usr/local/bin/told"]
group_wait = "1s"
[[notifier]]
name = "web"
type = "webhook"
url = "http://127.0.0.1:9098/alerts"
headers = { Authorization = "Bearer {{secret.token}}" }
secrets = { token = { file = "/etc/heartbeat-server/web.secret" } }
group_wait = "1s"
[[notifier]]
name = "post"
type = "mail"
smtp = "localhost:9025"
tls = "starttls"
ca = "/etc/heartbeat-server/mail.crt"
username = "alerts"
password_file = "/etc/heartbeat-server/web.secret"
from = "heartbeat@example.org"
to = ["ops@example.org"]
group_wait = "1s"
"""


@scenario_with(SERVERS)
def alerts(machine: Machine, world):
    """Silence reaches a program, a web service and a mail server from the confined service, and so does the recovery."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.copy(pathlib.Path(__file__).parent / "receivers.py")
    machine.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        " -addext basicConstraints=critical,CA:FALSE -keyout /root/mail.key -out /root/mail.crt"
        " && cat /root/mail.key /root/mail.crt > /root/mail.pem"
        " && install -m 644 /root/mail.crt /etc/heartbeat-server/mail.crt"
    )
    for kind, port in (("http", 9098), ("smtp", 9025)):
        machine.start(f"exec python3 /root/receivers.py {kind} {port} /root/{kind}.heard")
        machine.until(f"ss -Hltn 'sport = :{port}' | grep -q .", f"the {kind} receiver listens")
    machine.write("/usr/local/bin/told", PROGRAM)
    machine.run("chmod 755 /usr/local/bin/told")
    machine.run("install -m 640 -g heartbeat-server /dev/null /etc/heartbeat-server/web.secret")
    machine.run("echo a-secret-of-ours > /etc/heartbeat-server/web.secret")
    machine.write("/etc/heartbeat-server/conf.d/10-alerts.toml", CONFIG)
    subject.reload()
    for name in ("program", "web", "post"):
        said = machine.run(f"heartbeat-server test-alert {name}").stdout
        expect("sent" in said, f"test-alert {name} says {said!r}")
    subject.post('{"id": "silent-one"}')
    told = f"{STATE_DIR}/told"
    heard = {"program": told, "web": "/root/http.heard", "post": "/root/smtp.heard"}
    for name, file in heard.items():
        machine.until(f"grep -q 'silent-one' {file}", f"{name} is told of the silence")
    subject.post('{"id": "silent-one", "interval": "1h"}')
    machine.until(f"grep -q '^recovered silent-one' {told}", "the program is told of the recovery")
    machine.until("grep -q '\"kind\":\"recovered\"' /root/http.heard", "the web service is told of the recovery")
    machine.until("test $(grep -ci '^subject:.*silent-one' /root/smtp.heard) -ge 2", "the mail server is told of both")
    mail = machine.out("grep '^over' /root/smtp.heard | sort -u")
    expect(mail == "over TLS from heartbeat@example.org to ops@example.org", f"the mail came otherwise:\n{mail}")
    # Each once.
    for kind in ("down", "recovered"):
        lines = machine.out(f"grep -c '^{kind} silent-one' {told}")
        expect(lines == "1", f"{kind} was told {lines} times:\n{machine.out(f'cat {told}')}")
    web = machine.out("cat /root/http.heard")
    expect("from-the-program" in web, "the program's own request did not arrive")
    expect("bearer a-secret-of-ours" in web.lower(), f"the secret is not in the request:\n{tail(web)}")
    expect("idempotency-key: " in web.lower(), f"there is no key:\n{tail(web)}")
    machine.until("journalctl -t told | grep -q silent-one", "what the program logs is in the journal")
    everything = subject.journal() + machine.out(f"heartbeat-server check-config; cat {STATE_DIR}/*.json; ps axww")
    expect("a-secret-of-ours" not in everything, "the secret is told to those who need not know")
