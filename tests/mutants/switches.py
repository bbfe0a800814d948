"""Puts many changes into one source, each behind a switch that is set when the tests are started.

`a < b` with the changes 7 (`<=`) and 8 (`==`) becomes `(if m(7) { a <= b } else if m(8) { a == b } else { a < b })`; what a
function is to return instead of its own value stands at its beginning; a match arm that is to be missing gets a guard.
Where the compiler refuses one it says so by line, so each stands between lines that bear its number.
"""

import re

# The switch. Which mutants a test comes by is noted on the way, so that only those tests are asked for it.
MODULE = """//! Which mutant is chosen.
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static CHOSEN: LazyLock<u32> =
    LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX));
static NOTES: LazyLock<Option<std::fs::File>> =
    LazyLock::new(|| std::env::var_os("MUTANTS_SEEN").map(|path| std::fs::File::create(path).unwrap()));
static SEEN: [AtomicBool; {count}] = [const { AtomicBool::new(false) }; {count}];

pub fn m(number: u32) -> bool {
    if *CHOSEN != u32::MAX {
        return *CHOSEN == number;
    }
    if let Some(mut notes) = NOTES.as_ref().filter(|_| !SEEN[number as usize].swap(true, Relaxed)) {
        notes.write_all(format!("{number}\\n").as_bytes()).unwrap();
    }
    false
}
"""


class Edit:
    """A stretch of a source, and the changes in it with their numbers."""

    def __init__(self, kind, node):
        self.kind, self.node = kind, node
        self.start, self.end = node.start_byte, node.end_byte
        if kind == "value":
            self.start = self.end = node.start_byte + 1
        elif kind == "arm":
            self.start = self.end
        self.changes = []

    def order(self):
        return (self.start, self.end > self.start, -self.end)


def switched(source, changes):
    """The source with all these in it: {number: change}."""
    edits = {}
    for number, change in changes.items():
        edit = Edit(change.kind, change.node)
        edits.setdefault((edit.start, edit.end, edit.kind), edit).changes.append((number, change))
    return render(source, 0, len(source), sorted(edits.values(), key=Edit.order))


def render(source, start, end, edits):
    out, at, index = b"", start, 0
    while index < len(edits):
        edit = edits[index]
        after = index + 1
        while after < len(edits) and edits[after].start < edit.end:
            after += 1
        inside = edits[index + 1 : after]

        def part(node, inside=inside):
            """A node with the changes that stand within it; in a change itself there is no other."""
            low, high = node.start_byte, node.end_byte
            return render(source, low, high, [e for e in inside if low <= e.start and e.end <= high])

        out += source[at : edit.start] + WRITERS[edit.kind](source, edit, part)
        at, index = edit.end, after
    return out + source[at:end]


def plain(source, node):
    return source[node.start_byte : node.end_byte]


def marked(number, text):
    return b"\nif crate::mutants::m(%d) { //M%d\n%s\n//E%d\n} " % (number, number, text, number)


def choice(edit, of_change, otherwise):
    """An expression: that of the change that is chosen, or the one that stood there."""
    arms = b"else ".join(marked(number, of_change(change)) for number, change in edit.changes)
    return b"(%selse {(%s)})" % (arms, otherwise)


def write_value(source, edit, part):
    return b"".join(marked(number, b"return %s;" % change.text.encode()) for number, change in edit.changes)


def write_binary(source, edit, part):
    left, operator, right = (edit.node.child_by_field_name(name) for name in ("left", "operator", "right"))
    # What an assignment changes is a place, and stays one.
    form = b"%s %s (%s)" if edit.node.type == "compound_assignment_expr" else b"(%s) %s (%s)"

    def changed(change):
        return form % (plain(source, left), change.text.encode(), plain(source, right))

    return choice(edit, changed, b"%s %s %s" % (part(left), operator.type.encode(), part(right)))


def write_unary(source, edit, part):
    operator, operand = edit.node.children[0], edit.node.named_children[-1]
    return choice(edit, lambda _: plain(source, operand), plain(source, operator) + part(operand))


def write_arm(source, edit, part):
    ((number, _),) = edit.changes
    return b" if !(\n//M%d\ncrate::mutants::m(%d)\n//E%d\n)" % (number, number, number)


def write_guard(source, edit, part):
    return choice(edit, lambda change: change.text.encode(), part(edit.node))


def write_field(source, edit, part):
    node = edit.node
    struct = node.parent.parent
    base = [child for child in node.parent.children if child.type == "base_field_initializer"][0]
    name = plain(source, node.named_children[0])
    value = name if node.type == "shorthand_field_initializer" else part(node.child_by_field_name("value"))
    without = b"%s { %s }.%s" % (plain(source, struct.child_by_field_name("name")), plain(source, base), name)
    return name + b": " + choice(edit, lambda _: without, value)


WRITERS = {
    "value": write_value,
    "binary": write_binary,
    "unary": write_unary,
    "arm": write_arm,
    "guard": write_guard,
    "field": write_field,
}


# --- what the compiler says


def blamed(errors, texts):
    """The changes that errors of the compiler speak of."""
    found = set()
    for error in errors:
        spans = error["spans"] + [span for child in error["children"] for span in child["spans"]]
        spans.sort(key=lambda span: not span["is_primary"])
        around = (numbers_around(texts.get(span["file_name"], ""), span["line_start"]) for span in spans)
        numbers = next((numbers for numbers in around if numbers), None)
        if not numbers:
            raise SystemExit(f"no change is to blame for this:\n{error['rendered']}")
        found.add(numbers[-1])
    return found


def numbers_around(text, line):
    """The changes within whose lines a line stands, the innermost last."""
    numbers = []
    for stood in text.splitlines()[:line]:
        if begin := re.search(r"//M(\d+)$", stood):
            numbers.append(int(begin[1]))
        elif end := re.search(r"//E(\d+)$", stood):
            numbers.remove(int(end[1]))
    return numbers
