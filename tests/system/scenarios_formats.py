"""The other ways to get it: rpm, the tarball with install.sh, Homebrew; and Debian's own trials of its packages."""

import json
import os
import pathlib
import re
import shutil
import subprocess

from machine import Machine, tail
from registry import host_scenario, make, scenario, scenario_with
from subject import CONFIG, LOG, SERVICE, SOCKET, STATE_DIR, Subject, equal, expect

SERVER, CLIENT = "heartbeat-server", "heartbeat-client"
# Debian's rpm wants to be told that nobody meant alien, and knows none of the distribution's packages.
RPM = "rpm --force-debian --nodeps"
ENGLISH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def said_by(*command, code=0, **more) -> str:
    """What a command on this machine prints; it has to end with `code`."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    equal(done.returncode, code, f"`{' '.join(map(str, command))}` said:\n{tail(done.stdout)}\n  exit code")
    return done.stdout


@host_scenario
def rpm_content(_, world):
    """The rpm packages are sound, mark what may be edited, ask for what the programs link, and are the same twice."""
    for name in (SERVER, CLIENT):
        package = world.rpms[name, "1"]
        expect("OK" in said_by("rpm", "-K", package), f"rpm -K {package.name}")
        flags = said_by("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEUSERNAME}\n]", package)
        files = {line.split()[0]: line.split()[1:] for line in flags.splitlines()}
        for path, (*flag, owner) in files.items():
            equal(owner, "root", f"the owner of {path}")
            # c is for configuration, n for noreplace.
            equal(path.startswith("/etc/"), flag == ["cn"], f"{path} is marked {flag}")
        expect(f"/etc/{name}/{name}.toml" in files, f"{name} has no configuration")
        requires = said_by("rpm", "-qp", "--requires", package)
        expect("libc.so.6(GLIBC_2.34)(64bit)" in requires, f"{name} requires:\n{tail(requires)}")
        newer = [line for line in requires.splitlines() if re.search(r"GLIBC_2\.(3[5-9]|[4-9]\d)", line)]
        equal(newer, [], f"{name} asks for a younger glibc than that of Enterprise Linux 9")
        scripts = said_by("rpm", "-qp", "--scripts", package)
        for word in ("postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet", "systemd-sysusers"):
            expect(word in scripts, f"{name}: no {word}")
    again = world.scratch / "rpm-again"
    make(world.project, "rpm", f"RPM_DIR={again}")
    for name in (SERVER, CLIENT):
        first = world.rpms[name, "1"]
        expect((again / first.name).read_bytes() == first.read_bytes(), f"{first.name} differs between two builds")


@scenario_with("autopkgtest,rpm")
def rpm(machine: Machine, world):
    """The rpm starts the service where presets want it, restarts it on an upgrade without loss, and leaves with it."""
    subject = Subject(machine)
    for package in world.rpms.values():
        machine.copy(package)
    server = {release: world.rpms[SERVER, release].name for release in ("1", "2")}

    # Where new services stay off, as on Fedora, it says what comes next.
    machine.write("/etc/systemd/system-preset/00-test.preset", "disable *\n")
    said = machine.run(f"{RPM} -i /root/{server['1']}").stdout
    expect("Next: systemctl enable --now heartbeat-server" in said, f"rpm says:\n{tail(said)}")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "disabled", "is-enabled where presets say no")
    equal(machine.out(f"systemctl is-active {SERVICE}"), "inactive", "is-active where presets say no")
    machine.run(f"{RPM} -e heartbeat-server && rm /etc/systemd/system-preset/00-test.preset")

    machine.run(f"{RPM} -i /root/{server['1']}")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled")
    equal(machine.out(f"systemctl is-enabled {SOCKET}"), "disabled", "is-enabled of the socket")
    subject.answers()
    machine.run("rpm -V --nodeps heartbeat-server")

    machine.run(f"echo '# edited by the administrator' >> {CONFIG}")
    pid = subject.show("MainPID")
    flow = subject.flow(50, "keep")
    machine.until(f"grep -q 'keep-5$' {LOG}", "beats arrive")
    machine.run(f"{RPM} -U /root/{server['2']}")
    expect(subject.is_active(), f"not active after the upgrade:\n{tail(subject.journal())}")
    expect(subject.show("MainPID") != pid, "the old process still runs")
    expect("edited by the administrator" in machine.out(f"cat {CONFIG}"), "the edited configuration is gone")
    equal(machine.out(f"systemctl is-enabled {SERVICE}"), "enabled", "is-enabled after the upgrade")
    subject.count(5, "after")
    told = flow.stop()
    subject.whole("keep", told)

    # One that was stopped stays stopped.
    machine.run(f"systemctl disable --now {SERVICE} && {RPM} -U --replacepkgs /root/{server['2']}")
    equal(machine.out(f"systemctl is-active {SERVICE}"), "inactive", "is-active after an upgrade while stopped")
    machine.run(f"systemctl enable --now {SERVICE}")

    machine.run(f"{RPM} -i /root/{world.rpms[CLIENT, '1'].name}")
    equal(machine.out("systemctl is-enabled heartbeat-client"), "disabled", "is-enabled of the agent")
    machine.run("heartbeat install --to localhost:7777 --every 1s --id box")
    pid = subject.show("MainPID", "heartbeat-client.service")
    machine.run(f"{RPM} -U /root/{world.rpms[CLIENT, '2'].name}")
    expect(subject.show("MainPID", "heartbeat-client.service") not in (pid, "0"), "the upgrade does not restart the agent")
    machine.until("heartbeat list --match box | grep -q '^up '", "the monitor is listed as up")

    machine.run(f"{RPM} -e heartbeat-client heartbeat-server")
    equal(machine.out("ss -Hltn '( sport = :7777 or sport = :7778 )'"), "", "listeners after the removal")
    equal(machine.out("systemctl list-unit-files --no-legend 'heartbeat*'"), "", "units that systemd still knows")
    machine.run(f"test -s {STATE_DIR}/state.db && grep -q edited {CONFIG}.rpmsave")
    left = machine.out(
        "find / -xdev -name '*heartbeat*' -not -path '/root/*' -not -path '/var/lib/heartbeat-server*'"
        " -not -path '/var/log/heartbeat-server*' -not -path '/etc/heartbeat-*'"
    )
    equal(left.split(), [], "files left after the removal besides state, logs and edited configuration")


def unpacked_tarball(world) -> pathlib.Path:
    """The tarball of HEARTBEAT_TARBALL, or one around the programs of this run, which are not static; unpacked."""
    folder = world.scratch / f"tarball-{os.urandom(4).hex()}"
    folder.mkdir()
    tarball = os.environ.get("HEARTBEAT_TARBALL")
    if tarball is None:
        built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release"
        pack = [world.project / "packaging/static/pack", built, "heartbeat-server-built", folder]
        stamp = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        tarball = said_by(*pack, env=stamp).splitlines()[-1]
        shutil.copy(tarball, folder / "first.tar.gz")
        said_by(*pack, env=stamp)
        same = pathlib.Path(tarball).read_bytes() == (folder / "first.tar.gz").read_bytes()
        expect(same, "the tarball differs between two builds")
    said_by("tar", "-xzf", tarball, "-C", folder)
    [unpacked] = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


@scenario
def tarball(machine: Machine, world):
    """install.sh of the tarball: dry run, service, upgrade of one that runs, removal that keeps what is somebody's."""
    subject = Subject(machine)
    shutil.copytree(unpacked_tarball(world), machine.root / "root/unpacked")
    install = "/root/unpacked/install.sh"

    before = machine.out("find / -xdev | sort | sha256sum")
    planned = machine.run(f"setpriv --reuid=65534 --clear-groups sh < {install} -s -- --dry-run", check=False)
    equal(planned.returncode, 69, "exit code where the folder is not beside the script")
    planned = machine.run(f"{install} --dry-run").stdout
    for word in ("/usr/local/sbin/heartbeat-server", "systemd-sysusers", "daemon-reload"):
        expect(word in planned, f"--dry-run does not speak of {word}:\n{tail(planned)}")
    equal(machine.out("find / -xdev | sort | sha256sum"), before, "the file system after --dry-run")
    refused = machine.run(f"cp -r /root/unpacked /tmp/ && setpriv --reuid=65534 --clear-groups /tmp/unpacked/install.sh", check=False)
    equal(refused.returncode, 77, f"exit code without root ({refused.stdout})")
    expect("root" in refused.stdout, f"without root it says:\n{tail(refused.stdout)}")
    equal(machine.run(f"{install} --prefix there", check=False).returncode, 64, "exit code for a wrong prefix")

    said = machine.run(f"LC_ALL=zh_CN.UTF-8 {install}").stdout
    expect("下一步：systemctl enable --now heartbeat-server" in said, f"in Chinese it says:\n{tail(said)}")
    equal(machine.out(f"systemctl is-active {SERVICE}"), "inactive", "is-active before anybody starts it")
    machine.run("systemctl enable --now heartbeat-server")
    subject.answers()
    equal(machine.out("ps -o user:32= -C heartbeat-server"), "heartbeat-server", "the user it runs as")
    subject.reload()
    machine.run("logrotate -f /etc/logrotate.d/heartbeat-server")
    machine.run("/usr/local/bin/heartbeat install --to localhost:7777 --every 1s --id box")

    # Over a running one it is an upgrade.
    machine.run(f"echo '# edited by the administrator' >> {CONFIG}")
    pids = [subject.show("MainPID", unit) for unit in (SERVICE, "heartbeat-client.service")]
    subject.count(5, "before")
    said = machine.run(install).stdout
    expect(f"Kept: {CONFIG}" in said, f"the second time it says:\n{tail(said)}")
    subject.answers()
    after = [subject.show("MainPID", unit) for unit in (SERVICE, "heartbeat-client.service")]
    expect(not set(pids) & set(after) and "0" not in after, f"processes before {pids} and after the upgrade {after}")
    expect("edited by the administrator" in machine.out(f"cat {CONFIG}"), "the edited configuration is gone")
    equal(len(subject.ids("before")), 5, "lines from before the upgrade")

    said = machine.run(f"{install} --uninstall").stdout
    expect("Kept: /etc/heartbeat-server" in said, f"--uninstall says:\n{tail(said)}")
    equal(machine.out("ss -Hltn '( sport = :7777 or sport = :7778 )'"), "", "listeners after the removal")
    machine.run(f"test -s {STATE_DIR}/state.db && grep -q edited {CONFIG}")
    left = machine.out(
        "find / -xdev -name '*heartbeat*' -not -path '/root/*' -not -path '/tmp/unpacked/*' -not -path '/var/l*/heartbeat-*'"
        " -not -path '/var/cache/heartbeat-*' -not -path '/etc/heartbeat-*'"
    )
    equal(left.split(), [], "files left after --uninstall")

    machine.run(f"{install} --prefix /opt/hb && systemctl start heartbeat-server")
    expect("/opt/hb/sbin/" in subject.show("ExecStart"), "the unit does not start the program under --prefix")
    subject.answers()
    machine.run(f"{install} --prefix=/opt/hb --uninstall")
    equal(machine.out("find /opt /etc/systemd /usr/local -name '*heartbeat*'"), "", "files left under --prefix")


@host_scenario
def tarball_elsewhere(_, world):
    """install.sh where there is nothing but a busybox: adduser, OpenRC's script, and a program that runs."""
    root = world.scratch / "bare"
    for folder in ("bin", "sbin", "etc", "dev", "proc", "tmp", "run", "var/lib", "var/log"):
        (root / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    said_by("mknod", "-m", "666", root / "dev/null", "c", "1", "3")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/group").write_text("root:x:0:\n")
    shutil.copytree(unpacked_tarball(world), root / "unpacked")
    linked = subprocess.run(["ldd", root / "unpacked/sbin/heartbeat-server"], capture_output=True, text=True)
    libraries = re.findall(r"(/\S+) \(0x", linked.stdout)
    for library in libraries:
        (root / library.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library.lstrip("/"))
    print(f"    the program is {'linked with ' + str(len(libraries)) + ' libraries' if libraries else 'static'}")

    def inside(script: str) -> str:
        """In the folder as root, with a network that ends at its own loopback."""
        up = f"ip link set lo up && exec chroot {root} /bin/busybox sh -ec \"$1\""
        return said_by("unshare", "--net", "sh", "-ec", up, "sh", script, env=ENGLISH)

    inside("/bin/busybox --install -s /bin")
    # Debian's busybox makes no users; these take the options that Alpine's take.
    for word, file, line in (("addgroup", "group", "$2:x:100:"), ("adduser", "passwd", "$9:x:100:100::$5:$7")):
        (root / "bin" / word).write_text(f'#!/bin/sh\n[ "$1" = -S ] && echo "{line}" >> /etc/{file}\n')
        (root / "bin" / word).chmod(0o755)
    said = inside("/unpacked/install.sh")
    expect("No service manager" in said, f"it says:\n{tail(said)}")
    for name in (SERVER, CLIENT):
        expect(re.search(rf"^{name}:", (root / "etc/passwd").read_text(), re.M), f"no user {name}:\n{said}")
    said = inside(
        "/usr/local/sbin/heartbeat-server --http 127.0.0.1:7777 --state-dir /tmp/state --log stderr >/tmp/log 2>&1 & "
        "for n in $(seq 60); do wget -q -O /dev/null http://127.0.0.1:7777/ 2>/dev/null && break; sleep 1; done; "
        "wget -q -O - --post-data '{\"id\":\"bare\"}' http://127.0.0.1:7777/; "
        "/usr/local/bin/heartbeat send --to localhost:7777 --id named; "
        "wget -q -O - http://127.0.0.1:7777/api/v1/monitors/named; kill $!; wait $! || true"
    )
    expect('{"status":"ok"}' in said and '"named"' in said, f"the bare system says:\n{tail(said)}")

    # The words of OpenRC, which say what they were asked.
    for word in ("openrc-run", "rc-service", "rc-update"):
        (root / "sbin" / word).write_text(f'#!/bin/sh\necho "{word} $*"\n')
        (root / "sbin" / word).chmod(0o755)
    said = inside("/unpacked/install.sh --prefix /opt/hb")
    expect("Next: rc-update add heartbeat-server && rc-service heartbeat-server start" in said, f"it says:\n{tail(said)}")
    script = root / "etc/init.d/heartbeat-server"
    expect("/opt/hb/sbin/heartbeat-server" in script.read_text(), "OpenRC's script names another program")
    expect(script.stat().st_mode & 0o111, "OpenRC's script is not executable")
    said = inside("/unpacked/install.sh --prefix /opt/hb --uninstall")
    expect("rc-service --ifstarted heartbeat-server stop" in said, f"--uninstall says:\n{tail(said)}")
    expect(not script.exists() and not (root / "opt/hb/sbin/heartbeat-server").exists(), "--uninstall leaves files")


@host_scenario
def homebrew(_, world):
    """The formula is sound Ruby, and its service is the job that launchd is given elsewhere."""
    formula = world.project / "packaging/homebrew/heartbeat-server.rb"
    expect("Syntax OK" in said_by("ruby", "-c", formula), "ruby -c")
    said = json.loads(said_by("ruby", world.project / "tests/system/formula.rb", formula))
    equal(said["name"], SERVER, "the name that Homebrew makes of the class")
    equal(said["words"]["license"], {"any_of": ["MIT", "Apache-2.0"]}, "license")
    equal(sorted(said["methods"]), ["caveats", "install", "post_install", "test"], "methods")
    job = said["job"]
    equal(job["ProgramArguments"][0], "/opt/homebrew/opt/heartbeat-server/sbin/heartbeat-server", "the program")
    expect("--daemon" not in job["ProgramArguments"], "launchd wants it in the foreground")
    equal((job["RunAtLoad"], job["KeepAlive"]), (True, {"SuccessfulExit": False}), "RunAtLoad and KeepAlive")
    # The names are those that the daemon asks launchd for.
    ports = {name: (socket["SockServiceName"], socket["SockProtocol"]) for name, socket in job["Sockets"].items()}
    equal(ports, {"http": ("7777", "TCP"), "tcp": ("7778", "TCP")}, "sockets")
    expect(job["StandardErrorPath"].endswith("/stderr.log"), "StandardErrorPath")
    for path in re.findall(r'install "([^"]+)"', formula.read_text()):
        expect((world.project / path).is_file(), f"the formula installs {path}, which is not there")


@scenario
def piuparts(machine: Machine, world):
    """Debian's piuparts: both packages install, upgrade, go and are purged without leaving anything behind."""
    # It asks apt for the older versions, so they have to be in an archive; the new ones it is given.
    archive = world.scratch / "archive"
    archive.mkdir()
    for deb in (world.deb, world.client_deb):
        renumber(deb, "0.0.1-1", archive)
    (archive / "Packages").write_text(
        said_by("sh", "-c", "exec dpkg-scanpackages --multiversion . 2>/dev/null", cwd=archive)
    )
    suite = machine.image.name.split("-")[1]
    said = said_by(
        "piuparts", f"--existing-chroot={machine.image}", "-d", suite, "--fail-on-broken-symlinks",
        "--extra-repo", f"deb [trusted=yes] file:{archive} ./", "--bindmount", archive,
        # It runs logrotate itself, which then keeps what it did there.
        "--ignore", "/var/lib/logrotate/status", world.deb, world.client_deb,
    )  # fmt: skip
    for word in ("Installation and purging test", "Installation, upgrade and purging tests", "All tests"):
        expect(f"PASS: {word}" in said, f"piuparts did not come to its {word}:\n{tail(said)}")
    for name in (SERVER, CLIENT):
        expect(re.search(rf"Unpacking {name} .* over \(0.0.1-1\)", said), f"{name} was not upgraded")


def renumber(deb: pathlib.Path, version: str, folder: pathlib.Path):
    """The same package under another version."""
    unpacked = folder / "unpacked"
    said_by("dpkg-deb", "-R", deb, unpacked)
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    said_by("dpkg-deb", "--root-owner-group", "-b", unpacked, folder / f"{deb.name.split('_')[0]}_{version}_amd64.deb")
    shutil.rmtree(unpacked)


@scenario_with("autopkgtest,rpm")
def autopkgtest(machine: Machine, world):
    """Debian's autopkgtest runs the tests that the packages' source names, on the booted machine itself."""
    for deb in (world.deb, world.client_deb):
        machine.copy(deb)
    shutil.copytree(world.project / "packaging/debian", machine.root / "root/source/debian")
    tests = re.search(r"(?m)^Tests: (.*)", (world.project / "packaging/debian/tests/control").read_text())[1].split(", ")
    # The machine is as isolated as it wants, which the runner that uses it as it is cannot know.
    said = machine.run(
        f"autopkgtest --ignore-restrictions=isolation-container /root/{world.deb.name} /root/{world.client_deb.name}"
        " /root/source// -- null",
        check=False,
        seconds_max=300,
    )
    equal(said.returncode, 0, f"autopkgtest says:\n{tail(said.stdout)}\n  exit code")
    for test in tests:
        expect(re.search(rf"(?m)^{test} +PASS", said.stdout), f"{test} did not pass:\n{tail(said.stdout)}")
