"""The README taken apart: what a person copies out of it, and whether that is to be tried.

Each fenced block stands below a comment that readers do not see, and that says what the tests do with it:

    <!-- run -->            the commands are run in a booted Debian, as they are written
    <!-- file: PATH -->     the lines are written into that file there
    <!-- not run -->        neither; why, says NOT_RUN in scenarios_readme.py

A block without such a comment is an error. README.zh.md holds the same blocks in the same order; only
what stands behind # or // in them is in its own language.
"""

import dataclasses
import pathlib
import re

from machine import Failure, Machine

FENCE = re.compile(r"^```(\S*)\s*$")
MARK = re.compile(r"^<!-- (run|not run|file: (/\S+)) -->$")
# A remark: alone in its line, or behind two spaces or more.
REMARK = re.compile(r"^\s*(?:#(?!!)|//).*$|\s{2,}(?:#|//).*$")


@dataclasses.dataclass
class Block:
    """One fenced block."""

    section: str
    # "run", "not run" or "file".
    kind: str
    # Of a file: where it goes.
    path: str
    language: str
    text: str
    line: int

    @property
    def first(self) -> str:
        """The line that it is known by."""
        return self.text.splitlines()[0]

    def bare(self) -> str:
        """The text without remarks, which are in the language of the reader."""
        return "\n".join(REMARK.sub("", line).rstrip() for line in self.text.splitlines())


def blocks(path: pathlib.Path) -> list:
    """The blocks of a file in their order; fails where one is not marked."""
    found, section, before = [], "", ""
    lines = enumerate(path.read_text().splitlines(), 1)
    for number, line in lines:
        fence = FENCE.match(line)
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif fence:
            mark = MARK.match(before)
            if not mark:
                raise Failure(f"{path.name}:{number}: no mark above this block, such as <!-- run -->")
            inside = []
            for _, inner in lines:
                if inner == "```":
                    break
                inside.append(inner)
            else:
                raise Failure(f"{path.name}:{number}: this block does not end")
            text = "".join(f"{each}\n" for each in inside)
            found.append(Block(section, mark[1].split(":")[0], mark[2] or "", fence[1], text, number))
        elif MARK.match(before):
            raise Failure(f"{path.name}:{number - 1}: a mark without a block below it")
        before = line
    return found


class Walk:
    """A person who follows one section of the README, block by block, in a machine."""

    def __init__(self, machine: Machine, readme: pathlib.Path, section: str):
        self.machine = machine
        self.section = section
        self.rest = [each for each in blocks(readme) if each.section == section and each.kind != "not run"]
        # A checkout, as far as the commands want one.
        self.folder = "/root/heartbeat-server"
        machine.run(f"mkdir -p {self.folder}/target/debian")

    def next(self, first: str) -> str:
        """Runs the next block, or writes its file, and returns what it printed; `first` is how its first line begins."""
        if not self.rest:
            raise Failure(f"README.md: nothing is left in the section {self.section}, where {first!r} was expected")
        block = self.rest.pop(0)
        if not block.first.startswith(first):
            raise Failure(f"README.md:{block.line + 1}: {block.first!r} stands where {first!r} was expected")
        if block.kind == "file":
            self.machine.write(block.path, block.text)
            return ""
        self.machine.write("/root/block", block.text)
        try:
            return self.machine.run(f"cd {self.folder} && bash -e /root/block").stdout
        except Failure as failure:
            raise Failure(f"README.md:{block.line}, as it is written: {failure}") from None

    def file(self, path: str):
        """Writes the next block into the file that it says it is."""
        if self.rest and self.rest[0].kind == "file" and self.rest[0].path == path:
            self.next(self.rest[0].first)
        else:
            raise Failure(f"README.md: the next block of {self.section} is not the file {path}")

    def goes_to(self, machine: Machine):
        """Goes on in another machine."""
        self.machine = machine
        machine.run(f"mkdir -p {self.folder}/target/debian")

    def end(self):
        """Fails unless the whole section has been followed."""
        if self.rest:
            raise Failure(f"README.md:{self.rest[0].line}: nobody tries this block")
