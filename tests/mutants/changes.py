"""The small changes that a source of Rust can suffer: those that cargo-mutants makes, apart from what only another type
could show (`impl Iterator`). Tests, constructors called `new` and `Default` are left alone."""

import dataclasses
import itertools
import re

import tree_sitter
import tree_sitter_rust

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))

OPERATORS = {
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
    "<": ["==", ">", "<="],
    ">": ["==", "<", ">="],
    "<=": [">"],
    ">=": ["<"],
    "+": ["-", "*"],
    "-": ["+", "/"],
    "*": ["+", "/"],
    "/": ["%", "*"],
    "%": ["/", "+"],
    "<<": [">>"],
    ">>": ["<<"],
    "&": ["|", "^"],
    "|": ["&", "^"],
    "^": ["|", "&"],
    "+=": ["-=", "*="],
    "-=": ["+=", "/="],
    "*=": ["+=", "/="],
    "/=": ["%=", "*="],
    "%=": ["/=", "+="],
    "<<=": [">>="],
    ">>=": ["<<="],
    "&=": ["|="],
    "|=": ["&="],
    "^=": ["|=", "&="],
}
SIGNED = {"i8", "i16", "i32", "i64", "i128", "isize"}
UNSIGNED = {"u8", "u16", "u32", "u64", "u128", "usize"}
# A function has at most so many values to return instead of its own.
VALUES_MAX = 8


@dataclasses.dataclass
class Change:
    """One change. `kind` says how `node` is written with it, see switches.py."""

    kind: str
    node: object
    text: str
    name: str
    line: int


def changes(source):
    """All changes of a source, in its order."""
    found = []
    visit(PARSER.parse(source).root_node, source, [], found)
    return found


def visit(node, source, names, found):
    """`names`: the functions and types around the node."""
    inside = names
    if node.type == "mod_item" and is_test(node, source):
        return
    if node.type == "impl_item":
        trait = node.child_by_field_name("trait")
        if trait is not None and of(trait, source).endswith("Default"):
            return
        inside = [*names, of(node.child_by_field_name("type"), source)]
        if trait is not None:
            inside = [*names, f"<impl {of(trait, source)} for {inside[-1]}>"]
    elif node.type == "trait_item":
        inside = [*names, of(node.child_by_field_name("name"), source)]
    elif node.type == "function_item":
        name = of(node.child_by_field_name("name"), source)
        if name == "new" or is_test(node, source):
            return
        inside = [*names, name]
        of_function(node, source, "::".join(inside), found)
    elif node.type in KINDS and names:
        KINDS[node.type](node, source, f" in {'::'.join(names)}", found)
    elif node.type == "macro_invocation":
        return
    for child in node.children:
        visit(child, source, inside, found)


def is_test(node, source):
    before = node.prev_sibling
    while before is not None and before.type in ("attribute_item", "line_comment"):
        if re.match(r"#\[(cfg\(test\)|test\b)", of(before, source)):
            return True
        before = before.prev_sibling
    return False


def of(node, source):
    return " ".join(source[node.start_byte : node.end_byte].decode().split())


def note(found, kind, node, text, name, at=None):
    found.append(Change(kind, node, text, name, (at or node).start_point.row + 1))


# --- the kinds


def of_function(node, source, name, found):
    body, result = node.child_by_field_name("body"), node.child_by_field_name("return_type")
    statements = [child for child in body.named_children if "comment" not in child.type]
    if not statements:
        return
    arrow = f" -> {of(result, source)}" if result is not None else ""
    own = of(statements[0], source) if len(statements) == 1 else None
    for value in itertools.islice(values(result, source), VALUES_MAX):
        if value != own:
            note(found, "value", body, value, f"replace {name}{arrow} with {value}", node)


def values(kind, source):
    """Expressions of a type."""
    if kind is None or kind.type == "unit_type":
        return ["()"]
    text = of(kind, source)
    if text == "bool":
        return ["true", "false"]
    if text in UNSIGNED:
        return ["0", "1"]
    if text in SIGNED:
        return ["0", "1", "-1"]
    if text == "String":
        return ["String::new()", '"xyzzy".into()']
    if re.fullmatch(r"&('\w+ )?str", text):
        return ['""', '"xyzzy"']
    if text == "fmt::Result":
        return ["Ok(())"]
    if kind.type in ("never_type", "abstract_type", "dynamic_type"):
        return []
    if kind.type == "tuple_type":
        return [f"({', '.join(each)})" for each in itertools.product(*(values(k, source) for k in kind.named_children))]
    if kind.type == "reference_type":
        inner = kind.child_by_field_name("type")
        if inner.type in ("array_type", "slice_type"):
            element = inner.child_by_field_name("element")
            return ["Vec::leak(Vec::new())", *(f"Vec::leak(vec![{v}])" for v in values(element, source))]
        return [f"Box::leak(Box::new({value}))" for value in values(inner, source)]
    if kind.type == "generic_type":
        name = of(kind.child_by_field_name("type"), source).split("::")[-1]
        arguments = [k for k in kind.child_by_field_name("type_arguments").named_children if k.type != "lifetime"]
        first = values(arguments[0], source) if arguments else []
        if name == "Option":
            return ["None", *(f"Some({value})" for value in first)]
        if name == "Result":
            return [f"Ok({value})" for value in first]
        if name == "Vec":
            return ["vec![]", *(f"vec![{value}]" for value in first)]
        if name in ("Box", "Arc", "Rc"):
            return [f"{name}::new({value})" for value in first]
    return ["Default::default()"]


def of_binary(node, source, where, found):
    operator = node.child_by_field_name("operator")
    for other in OPERATORS.get(operator.type, []):
        note(found, "binary", node, other, f"replace {operator.type} with {other}{where}", operator)


def of_unary(node, source, where, found):
    operator = node.children[0].type
    if operator in ("!", "-"):
        note(found, "unary", node, "", f"delete {operator}{where}")


def of_match(node, source, where, found):
    arms = [child for child in node.child_by_field_name("body").children if child.type == "match_arm"]
    guards = [arm.child_by_field_name("pattern").child_by_field_name("condition") for arm in arms]
    patterns = [arm.child_by_field_name("pattern") for arm in arms]
    for pattern, guard in zip(patterns, guards, strict=True):
        if guard is not None:
            for value in ("true", "false"):
                name = f"replace match guard {of(guard, source)} with {value}{where}"
                note(found, "guard", guard, value, name)
        elif any(of(other, source) == "_" for other in patterns) and of(pattern, source) != "_":
            note(found, "arm", pattern, "", f"delete match arm {of(pattern, source)}{where}")


def of_struct(node, source, where, found):
    fields = node.child_by_field_name("body").named_children
    if any(field.type == "base_field_initializer" for field in fields):
        for field in fields:
            if field.type in ("field_initializer", "shorthand_field_initializer"):
                name, struct = of(field.named_children[0], source), of(node.child_by_field_name("name"), source)
                note(found, "field", field, "", f"delete field {name} from struct {struct} expression{where}")


KINDS = {
    "binary_expression": of_binary,
    "compound_assignment_expr": of_binary,
    "unary_expression": of_unary,
    "match_expression": of_match,
    "struct_expression": of_struct,
}
