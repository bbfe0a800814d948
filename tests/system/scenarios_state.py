"""The files that state is kept in: full disks, damage, other readers, and who may command the daemon."""

import re

from machine import Machine, tail
from registry import scenario
from subject import CONTROL, SERVICE, STATE_DIR, Subject, equal, expect

USER = "heartbeat-server"


@scenario
def control_socket(machine: Machine, world):
    """Root and the service's user may command through the control socket; others may not, even those of its group."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.post('{"id":"m","interval":3600}')
    equal(machine.out(f"stat -c %U:%G:%a {CONTROL}"), f"{USER}:{USER}:660", "owner, group and mode of the socket")
    pause, resume = "/api/v1/monitors/m/pause", "/api/v1/monitors/m/resume"
    equal(subject.control(pause), "200", "a pause by root")
    equal(subject.monitor("m")["state"], "paused", "the state")
    equal(subject.control(resume, how=f"runuser -u {USER} --"), "200", "its end by the service's user")
    equal(subject.monitor("m")["state"], "up", "the state")
    # The file keeps out whoever is not of its group, the daemon whoever is.
    for who, code in (("--regid=nogroup", "000"), (f"--regid={USER}", "403")):
        got = subject.control(pause, how=f"setpriv --reuid=nobody {who} --clear-groups")
        expect(code in got, f"a pause by somebody else ({who}) was answered {got!r}, expected {code}")
    equal(machine.out(f"curl -s -o /dev/null -w '%{{http_code}}' -d '{{}}' http://localhost:7777{pause}"), "403", "by TCP")
    equal(subject.monitor("m")["state"], "up", "the state")
    # The socket comes and goes with the service.
    machine.run(f"systemctl restart {SERVICE}")
    equal(subject.control(pause), "200", "a pause after a restart")
    machine.run(f"systemctl stop {SERVICE}")
    equal(machine.out("find /run -name '*heartbeat-server*' -not -path '/run/systemd/*'"), "", "left in /run after a stop")


@scenario
def look_inside(machine: Machine, world):
    """`sqlite3` reads the state of the running service, and disturbs nothing."""
    subject = Subject(machine)
    subject.install(world.deb)
    subject.post('{"id":"failed","status":"fail","message":"no power"}')
    machine.until("curl -sS http://localhost:7777/api/v1/incidents | grep -q failed", "the incident is on record")
    flow = subject.flow(200, "beside")
    read = f"sqlite3 -readonly {STATE_DIR}/state.db"
    for _ in range(5):
        equal(machine.out(f"{read} 'PRAGMA integrity_check'"), "ok", "the integrity of the file")
        incidents = machine.out(f"{read} -json 'SELECT * FROM incidents'")
        expect("failed" in incidents, f"the incident is not in the file: {incidents}")
    # A reader who takes his time, and one who could write, both root.
    slow = machine.start(f"(echo 'BEGIN; SELECT * FROM incidents;'; sleep 5) | sqlite3 {STATE_DIR}/state.db")
    subject.post('{"id":"failed-2","status":"fail"}')
    machine.until("curl -sS http://localhost:7777/api/v1/incidents | grep -q failed-2", "what is new is on record meanwhile")
    slow.wait(60)
    told = flow.stop()
    equal(told["failed"], [], "beats that were not acknowledged meanwhile")
    equal(subject.get("/readyz"), {"status": "ready", "degraded": False, "reasons": []}, "/readyz")
    owners = set(machine.out(f"find {STATE_DIR} -printf '%u '").split())
    equal(owners, {USER}, "the owners of all files there")
    killed = machine.run(f"systemctl kill -s KILL {SERVICE}; sleep 1; systemctl is-active {SERVICE}", check=False)
    machine.until(f"systemctl is-active {SERVICE}", f"a next start after root has looked:\n{killed.stdout}")
    equal(subject.monitor("failed")["state"], "down", "the state after that")
    equal(subject.get("/readyz")["degraded"], False, "degraded after that")


@scenario
def full_state_disk(machine: Machine, world):
    """No room for the state: beats are tracked and answered so, everybody is told; with room again it recovers alone."""
    subject = Subject(machine)
    subject.install(world.deb)
    small_disk(subject)
    pid = subject.show("MainPID")
    subject.count(100, "before")
    fill(machine)
    machine.until(f"{BEAT} | grep -q stored", "beats are not stored any more")
    answer = subject.post('{"id":"in-memory","interval":3600}')
    expect(" 200 OK" in answer and answer.strip().endswith('{"status":"ok","stored":false}'), f"the answer:\n{tail(answer)}")
    equal(subject.monitor("in-memory")["state"], "up", "a monitor that could not be stored")
    equal(http_code(machine, "/readyz"), "200", "the status of /readyz")
    said = subject.get("/readyz")
    expect(said["degraded"] and "no space" in " ".join(said["reasons"]), f"/readyz says {said}")
    machine.until(
        f"systemctl show -P StatusText {SERVICE} | grep -q 'degraded: .*no space'", "the status line says so"
    )
    expect(f"{STATE_DIR}/journal" in subject.journal(), f"the journal does not say where:\n{tail(subject.journal())}")
    # A failure is known at once all the same, and so is what follows.
    subject.post('{"id":"in-memory","status":"fail"}')
    equal(subject.monitor("in-memory")["state"], "down", "a monitor that failed")
    machine.run(f"rm {STATE_DIR}/ballast")
    machine.until(f"{BEAT} | grep -qx '{{\"status\":\"ok\"}}'", "beats are stored again")
    machine.until(f"{READY} | grep -q '\"degraded\":false'", "/readyz takes back what it said")
    machine.until(f"! systemctl show -P StatusText {SERVICE} | grep -q degraded", "the status line takes back what it said")
    equal(subject.show("MainPID"), pid, "the process")
    # What was in memory only has been made good: it survives the worst. Its incident too.
    machine.until("curl -sS http://localhost:7777/api/v1/incidents | grep -q in-memory", "the incident is on record")
    machine.until(f"sqlite3 -readonly {STATE_DIR}/state.db 'SELECT id FROM monitors' | grep -q in-memory", "as is the monitor")
    machine.run(f"kill -KILL {pid}")
    machine.until(f"{READY} && systemctl is-active {SERVICE}", "another is there")
    equal(subject.monitor("in-memory")["state"], "down", "what was in memory only, after a kill")
    equal(len(subject.monitors("before-*")), 100, "what was stored before")


@scenario
def full_disk_always(machine: Machine, world):
    """No room, and `sync = "always"`: beats are refused with 503, and taken again once there is room."""
    subject = Subject(machine)
    subject.install(world.deb)
    machine.write("/etc/heartbeat-server/conf.d/10-test.toml", '[state]\nsync = "always"\n')
    small_disk(subject)
    subject.count(100, "before")
    fill(machine)
    code = "curl -sS -o /dev/null -w '%{http_code}' -d '{\"id\":\"filler\"}' http://localhost:7777/"
    machine.until(f"{code} | grep -qx 503", "beats are refused")
    answer = subject.post('{"id":"refused"}')
    expect(" 503 " in answer and re.search(r"(?im)^retry-after: \d+\r?$", answer), f"the answer:\n{tail(answer)}")
    equal(http_code(machine, "/readyz"), "503", "the status of /readyz")
    expect("no space" in " ".join(subject.get("/readyz")["reasons"]), f"/readyz says {subject.get('/readyz')}")
    machine.until(f"systemctl show -P StatusText {SERVICE} | grep -q '^BEATS ARE REFUSED'", "the status line says so")
    machine.run(f"rm {STATE_DIR}/ballast")
    machine.until(f"{code} | grep -qx 200", "beats are taken again")
    machine.until(f"{READY} | grep -q '\"degraded\":false'", "/readyz takes back what it said")
    subject.count(5, "after")


@scenario
def start_on_full_disk(machine: Machine, world):
    """A start without room for the state either serves or says where room is needed; with room it serves."""
    subject = Subject(machine)
    subject.install(world.deb)
    small_disk(subject)
    subject.count(100, "before")
    fill(machine)
    machine.run(f"systemctl restart {SERVICE}", check=False)
    if subject.is_active():
        equal(len(subject.monitors("before-*")), 100, "what is known after a start without room")
        expect("no space" in " ".join(subject.get("/readyz")["reasons"]), f"/readyz says {subject.get('/readyz')}")
    else:
        expect(re.search(rf"{STATE_DIR}\S*: no space left", subject.journal()), f"no reason:\n{tail(subject.journal())}")
    print(f"    {'it serves' if subject.is_active() else 'it does not start'}")
    machine.run(f"rm {STATE_DIR}/ballast")
    machine.until(f"{BEAT} | grep -qx '{{\"status\":\"ok\"}}'", "with room beats are stored, without a hand of ours")
    equal(len(subject.monitors("before-*")), 100, "what was stored before")


@scenario
def damaged_database(machine: Machine, world):
    """state.db damaged while stopped: it starts and serves, and the journal says where the old file is, untouched."""
    subject = Subject(machine)
    subject.install(world.deb)
    for number in range(50):
        subject.post(f'{{"id":"kept-{number}","interval":3600}}')
    subject.post('{"id":"failed","status":"fail","message":"no power"}')
    file = f"{STATE_DIR}/state.db"
    # What the journal still holds is known after the first damage. Later it has been trimmed, and the file was all.
    for known, damage in (
        (50, f"printf 'not a database any more' | dd of={file} conv=notrunc"),
        (0, f"dd if=/dev/urandom of={file} bs=4096 seek=1 count=6 conv=notrunc"),
        (0, f"truncate -s 4096 {file}"),
    ):
        machine.run(f"systemctl stop {SERVICE}")
        asides = set(machine.out(f"ls -d {file}.damaged-* 2>/dev/null").split())
        machine.run(damage)
        broken = machine.out(f"md5sum < {file}")
        machine.run(f"systemctl start {SERVICE}")
        pid = subject.show("MainPID")
        subject.answers()
        expect(len(subject.monitors("kept-*")) >= known, f"not all {known} monitors are known after `{damage}`")
        news = set(machine.out(f"ls -d {file}.damaged-* | grep -v -e -wal -e -shm").split()) - asides
        equal(len(news), 1, f"files set aside after `{damage}`")
        aside = news.pop()
        equal(machine.out(f"md5sum < {aside}"), broken, "what is set aside")
        said = machine.out(f"journalctl --no-pager -o cat _PID={pid}")
        expect(aside in said, f"the journal does not name {aside}:\n{tail(said)}")
        named_without_its_folder(aside, " ".join(subject.get("/readyz")["reasons"]))
        equal(machine.out(f"sqlite3 -readonly {file} 'PRAGMA integrity_check'"), "ok", "the integrity of the new file")
        # The next one is damaged with something in it, too.
        for number in range(50):
            subject.post(f'{{"id":"kept-{number}","interval":3600}}')


@scenario
def damaged_journal(machine: Machine, world):
    """Bytes of the journal damaged while stopped: the start names file and offset, keeps a copy, and knows the rest."""
    subject = Subject(machine)
    subject.install(world.deb)
    for number in range(50):
        subject.post(f'{{"id":"kept-{number}","interval":3600}}')
    machine.run(f"systemctl stop {SERVICE}")
    [name] = machine.out(f"ls {STATE_DIR}/journal").split()
    file = f"{STATE_DIR}/journal/{name}"
    size = int(machine.out(f"stat -c %s {file}"))
    # The first 4,096 bytes are the header of the file.
    at = (4096 + size) // 2
    machine.run(f"dd if=/dev/urandom of={file} bs=1 seek={at} count=8 conv=notrunc")
    broken = machine.out(f"md5sum < {file}")
    machine.run(f"systemctl start {SERVICE}")
    subject.answers()
    said = subject.journal()
    found = re.search(rf"{re.escape(file)}\D+?(\d+)", said)
    expect(found, f"the journal does not name {file} and an offset:\n{tail(said)}")
    offset = int(found.group(1))
    expect(at - 1024 < offset <= at + 8, f"the damage is at {at} of {size}, the journal says {offset}:\n{tail(said)}")
    kept = f"{STATE_DIR}/journal/damaged/{name}"
    equal(machine.out(f"md5sum < {kept}"), broken, "the copy that is kept aside")
    named_without_its_folder(file, " ".join(subject.get("/readyz")["reasons"]))
    known = len(subject.monitors("kept-*"))
    expect(known >= 48, f"only {known} of 50 monitors are known after the damage of 8 bytes")
    # The next start finds the same and has nothing new to say.
    machine.run(f"systemctl restart {SERVICE}")
    subject.answers()
    equal(len(subject.monitors("kept-*")), known, "monitors after one more start")


BEAT = "curl -sS --max-time 30 -d '{\"id\":\"filler\"}' http://localhost:7777/"
READY = "curl -sS --max-time 30 http://localhost:7777/readyz"


def named_without_its_folder(file: str, reasons: str):
    """Fails unless what everybody may read names the file, and nothing of where it lies."""
    folder, name = file.rsplit("/", 1)
    expect(name in reasons and folder not in reasons, f"/readyz says {reasons}")


def small_disk(subject: Subject):
    """Starts the daemon on a disk of its own with 16 MB."""
    machine = subject.machine
    machine.run(f"systemctl stop {SERVICE}")
    machine.run(f"rm -rf {STATE_DIR}/* && mount -t tmpfs -o size=16m,mode=750 tmpfs {STATE_DIR}")
    machine.run(f"chown {USER}: {STATE_DIR} && systemctl start {SERVICE}")


def fill(machine: Machine):
    """Takes all room on that disk."""
    machine.run(f"! dd if=/dev/zero of={STATE_DIR}/ballast bs=4096 2>/dev/null")


def http_code(machine: Machine, path: str) -> str:
    """The status code of an answer."""
    return machine.out(f"curl -sS -o /dev/null -w '%{{http_code}}' --max-time 30 http://localhost:7777{path}")
