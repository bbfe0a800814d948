#!/usr/bin/env python3
"""Changes the pure modules in small ways, one at a time, and looks whether their unit tests notice.

The changes are those of cargo-mutants (changes.py). To build the program anew for each of some thousand takes days; here
all of them stand in one build, each behind a switch (switches.py), and each is given only to the tests that come by it.

Each part (domain, wire, store) is laid out under target/mutants as a small crate of its own: its sources under their own
paths, and its unit tests. Tests of other parts, and those in tests/, are not asked.

    tests/mutants/run.py                    every module of MODULES
    tests/mutants/run.py registry schedule  those with such a word in their name
    tests/mutants/run.py --again registry   only what was not caught the last time, after tests were added
    tests/mutants/run.py --share 4 wire     every fourth mutant
    tests/mutants/run.py --table            what is known so far, as it stands in CONTRIBUTING.md

What nobody could tell apart from outside is set aside in equal.toml, each with its reason.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib

sys.dont_write_bytecode = True

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / "target" / "mutants"
RESULTS = WORK / "results.json"
TOOLS = pathlib.Path(os.environ.get("TOOLS", ROOT / "target" / "tools")).resolve()

# Seconds of the processor's time, above what the tests need otherwise. One that loops costs as many.
CPU_S_MORE = 2
# Seconds after which one that only waits is given up.
WAIT_S_MAX = 120
# A mutant that allocates without end must not take the machine with it.
MEMORY_BYTES_MAX = 4 << 30
# There are thousands to try; whoever else works on the machine comes first.
NICENESS = 10
AT_ONCE = int(os.environ.get("AT_ONCE", os.cpu_count() or 1))
# Rounds in which the compiler may refuse mutants.
ROUNDS_MAX = 12
# Tests that take longer than this are not asked: they would be for hundreds of mutants.
LONG_CPU_S = 1
# Properties are tried on fewer cases than the sources ask for, always the same ones.
CASES = 12

# Each module: the part it lies in, and what belongs to it unless a module before it has it.
MODULES = {
    "domain/registry": ("domain", r"src/domain/registry(\.rs|/.*)"),
    "domain/alert": ("domain", r"src/domain/alert/.*"),
    "domain/schedule": ("domain", r"src/domain/schedule\.rs"),
    "domain, the rest": ("domain", r"src/domain/.*"),
    "wire": ("wire", r"src/wire/.*"),
    "store/journal/recover": ("store", r"src/store/journal/recover\.rs"),
    "store/journal, the rest": ("store", r"src/store/journal/.*"),
}
# Not the product: the disk that tests are played on, worlds for them, and tests in files of their own.
NOT_PRODUCT = r".*/(sim|simulation|rot|edges|conformance)\.rs|.*/.*tests\.rs|.*/(tests|edges)/.*"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--again", action="store_true", help="only mutants not yet known to be caught")
    parser.add_argument("--share", type=int, default=1, metavar="N", help="only every N-th mutant")
    parser.add_argument("--table", action="store_true", help="print what is known so far")
    options = parser.parse_args()
    wanted = [name for name in MODULES if not options.modules or any(word in name for word in options.modules)]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.table:
        python_with_tools()
        for part in ("domain", "wire", "store"):
            lay_out(part)
        for part in ("domain", "wire", "store"):
            names = [name for name in wanted if MODULES[name][0] == part]
            if names:
                run(part, names, options, results)
    print_table(results)


def python_with_tools():
    """Goes on in the Python that has the packages of requirements.txt."""
    folder = TOOLS / "mutants"
    mark = folder / "installed"
    needed = (HERE / "requirements.txt").read_text()
    if not mark.is_file() or mark.read_text() != needed:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        mark.write_text(needed)
    if pathlib.Path(sys.prefix) != folder:
        python = folder / "bin" / "python"
        os.execv(python, [python, *sys.argv])


# --- the small crates


def lay_out(part):
    """Makes the crate of a part, or brings it up to date. Unchanged files keep their times, so nothing builds twice."""
    sources = {}
    for path in sorted((ROOT / "src" / part).rglob("*.rs")):
        sources[path.relative_to(ROOT)] = fewer_cases(path.read_text())
    below = [] if part == "domain" else ["domain"]
    lines = [f"pub use part_{other}::{other};" for other in below] + [f"pub mod {part};"]
    sources[pathlib.Path("src/lib.rs")] = "\n".join(["#![allow(warnings)]", *lines]) + "\n"
    write_crate(WORK / part, sources, manifest(part, below))


def write_crate(folder, sources, manifest):
    for path in [path for path in (folder / "src").rglob("*.rs") if path.relative_to(folder) not in sources]:
        path.unlink()
    for path, text in {**sources, pathlib.Path("Cargo.toml"): manifest}.items():
        there = folder / path
        if not there.exists() or there.read_text() != text:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text)
    if not (folder / "Cargo.lock").exists():
        shutil.copyfile(ROOT / "Cargo.lock", folder / "Cargo.lock")


def fewer_cases(text):
    return re.sub(r"with_cases\((\d+)\)", lambda m: f"with_cases({min(int(m[1]), CASES)})", text)


def manifest(part, below):
    """With all that the whole program depends on, so that whatever was built for it serves here too."""
    text = (ROOT / "Cargo.toml").read_text()
    edition = tomllib.loads(text)["package"]["edition"]
    lines = ["[package]", f'name = "part_{part}"', 'version = "0.0.0"', f'edition = "{edition}"', "[workspace]"]
    lines += ["[dependencies.part_%s]\npath = \"../%s\"" % (other, other) for other in below]
    sections = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    lines += [s for s in sections if re.match(r"\[(target\..*|dev-)?dependencies\]", s.replace(".dependencies", "dependencies"))]
    return "\n".join(lines) + "\n"


# --- one part


def run(part, names, options, results):
    mutants = dict(enumerate(listed(part)))
    equal = equals(mutants.values())
    for name in names:
        mine = [mutant.key for mutant in mutants.values() if mutant.module == name]
        known = results.get(name, {}).get("found", {}) if options.again else {}
        found = {key: known[key] for key in mine if known.get(key) in ("caught", "timeout", "unviable") and key not in equal}
        results[name] = {"mutants": len(mine), "aside": len(equal.intersection(mine)), "found": found}
        print(f"{name}: {len(mine)} mutants, {results[name]['aside']} set aside, {len(found)} known", flush=True)

    def note(number, word):
        mutant = mutants[number]
        results[mutant.module]["found"][mutant.key] = word
        if word in ("missed", "timeout"):
            print(f"{word}: {mutant.file}:{mutant.change.line}: {mutant.change.name}", flush=True)
        # Another part may be under way at the same time.
        others = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**others, **{name: results[name] for name in names}}, indent=1))

    program, refused = build(part, mutants)
    tests = tests_by_mutant(part, program)
    wanted = []
    for number, mutant in mutants.items():
        if mutant.module in names and mutant.key not in equal and mutant.key not in results[mutant.module]["found"]:
            if number in refused:
                note(number, "unviable")
            else:
                wanted.append(number)
    # Every so many, over all modules alike.
    wanted = [number for number in wanted if number % options.share == 0]
    wanted.sort(key=lambda number: names.index(mutants[number].module))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {pool.submit(try_mutant, part, program, n, tests.get(n, [])): n for n in wanted}
        for done in concurrent.futures.as_completed(asked):
            note(asked[done], done.result())


@dataclasses.dataclass
class Mutant:
    """A change of a file. Its key stays what it is when lines are added above it."""

    file: str
    change: object
    key: str
    module: str


def listed(part):
    """The mutants of a part."""
    import changes

    mutants, counted = [], collections.Counter()
    for path in sorted((WORK / part / "src" / part).rglob("*.rs")):
        file = str(path.relative_to(WORK / part))
        fitting = [name for name, (of, files) in MODULES.items() if of == part and re.fullmatch(files, file)]
        if not fitting or re.fullmatch(NOT_PRODUCT, file):
            continue
        lines = path.read_text().splitlines()
        for change in changes.changes(path.read_bytes()):
            key = f"{file}: {change.name} | {lines[change.line - 1].strip()}"
            counted[key] += 1
            mutants.append(Mutant(file, change, key if counted[key] == 1 else f"{key} | {counted[key]}", fitting[0]))
    return mutants


def equals(mutants):
    """The keys of those that equal.toml sets aside; an entry that sets nothing aside any more is to go."""
    entries = tomllib.loads((HERE / "equal.toml").read_text())["equal"]
    found = set()
    for entry in entries:
        here = [mutant.key for mutant in mutants if mutant.file == entry["file"]]
        fit = [key for key in here if re.search(entry["mutant"], key.removeprefix(entry["file"] + ": "))]
        if here and not fit:
            sys.exit(f"equal.toml sets aside what is not there: {entry['file']}: {entry['mutant']}")
        found.update(fit)
    return found


# --- all mutants in one build


def build(part, mutants):
    """The tests with every mutant in them; and those that the compiler refused."""
    import switches

    clean, folder = WORK / part, WORK / f"{part}-switched"
    # What was refused before is left out at once, so that nothing is built anew where nothing has changed.
    memory = WORK / f"{part}-refused.json"
    known = set(json.loads(memory.read_text())) if memory.exists() else set()
    refused = {number for number, mutant in mutants.items() if mutant.key in known}
    for _ in range(ROUNDS_MAX):
        sources = {}
        for path in sorted((clean / "src").rglob("*.rs")):
            name = path.relative_to(clean)
            here = {n: m.change for n, m in mutants.items() if m.file == str(name) and n not in refused}
            sources[name] = switches.switched(path.read_bytes(), here).decode()
        count = str(max(mutants, default=0) + 1)
        sources[pathlib.Path("src/mutants.rs")] = switches.MODULE.replace("{count}", count)
        sources[pathlib.Path("src/lib.rs")] += "pub mod mutants;\n"
        text = (clean / "Cargo.toml").read_text().replace("part_" + part, "switched_" + part)
        write_crate(folder, sources, text)
        command = ["cargo", "test", "--lib", "--no-run", "--message-format=json"]
        done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE)
        said = [json.loads(line) for line in done.stdout.splitlines()]
        programs = [m["executable"] for m in said if m.get("executable") and m["target"]["name"].startswith("switched")]
        if done.returncode == 0:
            memory.write_text(json.dumps(sorted(mutants[number].key for number in refused)))
            return programs[-1], refused
        errors = [m["message"] for m in said if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
        errors = [error for error in errors if error["spans"]]
        if not errors:
            sys.exit("cargo failed and blamed no line")
        refused |= switches.blamed(errors, {str(name): text for name, text in sources.items()})
        print(f"{part}: the compiler has refused {len(refused)} so far", flush=True)
    sys.exit("the compiler refuses ever more")


def environment(**more):
    return dict(
        os.environ,
        CARGO_TARGET_DIR=os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")),
        HEARTBEAT_ALERT_SEEDS="2",
        PROPTEST_CASES=str(CASES),
        PROPTEST_RNG_SEED="1",
        PROPTEST_MAX_SHRINK_ITERS="0",
        PROPTEST_DISABLE_FAILURE_PERSISTENCE="1",
        **more,
    )


def tests_by_mutant(part, program):
    """For each mutant the tests that come by it, the quickest first, each with the processor's time that it takes."""
    memory, stamp = WORK / f"{part}-seen.json", [program, os.stat(program).st_mtime_ns]
    if memory.exists():
        known = json.loads(memory.read_text())
        if known["of"] == stamp:
            return {int(number): tests for number, tests in known["tests"].items()}
    command = [program, "--list", "--format", "terse"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=WORK / part).stdout
    names = [line.removesuffix(": test") for line in said.splitlines() if line.endswith(": test")]
    found = collections.defaultdict(list)

    def look(name):
        with tempfile.NamedTemporaryFile() as seen:
            word, took = play(part, program, [name], LONG_CPU_S, 0, MUTANTS_SEEN=seen.name)
            if word == "timeout":
                print(f"{part}: takes too long to be asked: {name}", flush=True)
                return took, name, []
            if word != "missed":
                sys.exit(f"{name} fails without any mutant")
            return took, name, [int(number) for number in pathlib.Path(seen.name).read_text().split()]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for took, name, numbers in pool.map(look, names):
            for number in numbers:
                found[number].append((took, name))
    tests = {number: sorted(tests) for number, tests in found.items()}
    memory.write_text(json.dumps({"of": stamp, "tests": tests}))
    return tests


def try_mutant(part, program, number, tests):
    if not tests:
        return "missed"
    cpu_s = CPU_S_MORE + 3 * sum(took for took, _ in tests)
    return play(part, program, [name for _, name in tests], cpu_s, NICENESS, MUTANT=str(number))[0]


def play(part, program, tests, cpu_s, niceness, **more):
    """Runs these tests until the first fails: missed, caught or timeout, and the processor's time that it took."""

    def limit():
        os.nice(niceness)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    command = [program, "--exact", "--test-threads=1", *tests]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    child = subprocess.Popen(command, cwd=WORK / part, env=environment(**more), preexec_fn=limit, text=True, **pipes)
    late = threading.Event()
    timer = threading.Timer(WAIT_S_MAX + 100 * cpu_s, lambda: (late.set(), os.kill(child.pid, signal.SIGKILL)))
    timer.start()
    caught = False
    for line in child.stdout:
        if line.rstrip().endswith("FAILED"):
            caught = True
            # Not `child.kill`, which would take the figures away that are asked for below.
            os.kill(child.pid, signal.SIGKILL)
            break
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = code = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    timer.cancel()
    took = used.ru_utime + used.ru_stime
    if not caught and (late.is_set() or code in (-signal.SIGXCPU, -signal.SIGKILL)):
        return "timeout", took
    return "caught" if caught or code != 0 else "missed", took


# --- what was found


def print_table(results):
    print("\n| Module | Mutants | Do not compile | Set aside | Caught | Out of time | Missed | Share caught |")
    print("|---|---|---|---|---|---|---|---|")
    for name in MODULES:
        if name in results:
            count = collections.Counter(results[name]["found"].values())
            noticed = count["caught"] + count["timeout"]
            tried = noticed + count["missed"]
            share = f"{100 * noticed / tried:.1f} %" if tried else "-"
            open_ones = results[name]["mutants"] - results[name]["aside"] - tried - count["unviable"]
            left = f" ({open_ones} not tried)" if open_ones else ""
            print(
                f"| {name} | {results[name]['mutants']}{left} | {count['unviable']} | {results[name]['aside']} "
                f"| {count['caught']} | {count['timeout']} | {count['missed']} | {share} |"
            )


if __name__ == "__main__":
    main()
