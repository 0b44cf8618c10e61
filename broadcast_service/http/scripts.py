"""Joins the modules of the page into two scripts: one for the first view, one for the parts that are loaded when they are used.

The page has over a hundred small modules. Each would be a request, also where a browser has it and only asks whether it has changed, and a
text that is compressed apart from the others. In a script each module is a function that runs once and returns what the module exports, so
that its names stay its own; the script exports every module. Only the forms of import and export that the page uses are understood: any
other is an error at the start.

A source map (ECMA-426) leads the tools of a developer to the line of the module, with its comments.
"""

import functools
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

FIRST: Final = "app.js"  # the entry, and the script in its place
LATER: Final = "later.js"
MAP: Final = ".map"
IMPORT: Final = re.compile(r"^import \{([^}]*)\} from '(\.[^']+)';$", re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?=(?:async function|class|const|function) (\w+))", re.MULTILINE)
DEFERRED_IMPORT: Final = re.compile(r"\bimport\('(\.[^']+)'\)(?!\.[A-Z])")  # a type in a comment has its name behind it
NOT_UNDERSTOOD: Final = re.compile(r"^(?:import|export)\b(?!\().*", re.MULTILINE)
NOT_UNDERSTOOD_WITHIN: Final = re.compile(r"\bimport\b *(?:\(|\.meta).*")
BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Script(NamedTuple):
    """A script and its source map."""

    text: bytes
    map: bytes


class Modules:
    """The modules of the page, each behind those that it imports.

    `texts` are their sources by name; `condense` shortens a text and keeps its lines. `first` are `app.js` and the modules that it imports
    when it is loaded, directly or not; `later` are those behind an `import()`, and the others that those import. Raises KeyError for an
    import of a file that does not exist, and ValueError for modules that import each other.
    """

    def __init__(self, texts: Mapping[str, str], condense: Callable[[str], str]) -> None:
        self._texts = texts
        self._condense = condense
        self.first = list(self._with_imports(FIRST))
        deferred = [name for module in self.first for name in _deferred_imports(module, texts[module])]
        later: dict[str, None] = {}
        while deferred:
            for name in self._with_imports(deferred.pop(0), known=(*self.first, *later)):
                later[name] = None
                deferred += _deferred_imports(name, texts[name])
        self.later = list(later)
        self._exports = {name: EXPORT.findall(texts[name]) for name in (*self.first, *self.later)}

    def scripts(self) -> dict[str, Script]:
        """The scripts by name. Raises ValueError for a name that the other module does not export, and for any other form of import."""
        wanted = sorted({name for module in self.later for _, name in _imports(module, self._texts[module]) if name in self.first})
        head = f"import {{ {', '.join(map(_variable, wanted))} }} from './{FIRST}';" if wanted else ""
        return {FIRST: self._join(FIRST, self.first), **({LATER: self._join(LATER, self.later, head)} if self.later else {})}

    def _with_imports(self, entry: str, known: Iterable[str] = ()) -> Iterator[str]:
        """The entry behind all modules that it imports, directly or not, without the known ones."""
        done, open_modules = set(known), list[str]()

        def visit(module: str) -> Iterator[str]:
            """A module behind those that it imports."""
            if module in open_modules:
                raise ValueError(f"{' → '.join([*open_modules, module])}: these modules of the page import each other")
            if module in done:
                return
            open_modules.append(module)
            for _, name in _imports(module, self._texts[module]):
                yield from visit(name)
            open_modules.pop()
            done.add(module)
            yield module

        return visit(entry)

    def _join(self, script: str, modules: list[str], head: str = "") -> Script:
        lines = [head] if head else []
        places: list[tuple[int, int] | None] = [None] * len(lines)  # for each line the module's index and the line there
        for index, module in enumerate(modules):
            for number, line in enumerate(self._function(module).split("\n")):
                if line:
                    lines.append(line)
                    places.append((index, number))
        lines += [f"export {{ {', '.join(map(_variable, modules))} }};", f"//# sourceMappingURL={script}{MAP}", ""]
        return Script("\n".join(lines).encode(), source_map(script, {name: self._texts[name] for name in modules}, places))

    def _function(self, module: str) -> str:
        """A module as a function, on as many lines as the module has."""

        def to_constants(found: re.Match[str]) -> str:
            """An import as the names that it takes from what the other module's function has returned."""
            [(names, other)] = _imports(module, found[0])
            missing = [name for name in names if name not in self._exports[other]]
            if missing:
                raise ValueError(f"{module} imports {', '.join(missing)} from {other}, which does not export that")
            return f"const {{{found[1].replace(' as ', ': ')}}} = {_variable(other)};"

        def to_script(found: re.Match[str]) -> str:
            """A deferred import as one of the script that has the module."""
            name = _resolve(module, found[1])
            return f"import('./{FIRST if name in self.first else LATER}').then((modules) => modules.{_variable(name)})"

        text = EXPORT.sub("", IMPORT.sub(to_constants, self._texts[module]))
        odd = NOT_UNDERSTOOD.search(text)
        text = self._condense(text).rstrip("\n")
        if odd := odd or NOT_UNDERSTOOD_WITHIN.search(DEFERRED_IMPORT.sub("", text)):
            raise ValueError(f"{module}: {odd[0]}: the page's modules import and export by name")
        text = DEFERRED_IMPORT.sub(to_script, text)
        return f"const {_variable(module)} = (() => {{ {text}\nreturn {{ {', '.join(self._exports[module])} }}; }})();"


def _variable(module: str) -> str:
    """The name of a module in a script; no name in a module begins like it, and no other module has it."""
    return f"${module.removesuffix('.js').replace('/', '$')}"


def _resolve(module: str, path: str) -> str:
    """The name of a file that a module names by a path relative to itself."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(module), path))


def _imports(module: str, text: str) -> Iterator[tuple[list[str], str]]:
    """What a module imports when it is loaded: the names, and the module that has them."""
    for names, path in IMPORT.findall(text):
        yield re.findall(r"(\w+)(?: as \w+)?", names), _resolve(module, path)


def _deferred_imports(module: str, text: str) -> Iterator[str]:
    """The modules that a module imports when they are used."""
    for path in DEFERRED_IMPORT.findall(text):
        yield _resolve(module, path)


def source_map(script: str, sources: Mapping[str, str], places: Iterable[tuple[int, int] | None]) -> bytes:
    """A map of lines alone: `places` has for each line of the script the index of its source and the line there, both from 0."""
    mappings, last = list[str](), (0, 0)
    for place in places:
        mappings.append("" if place is None else f"A{base64_vlq(place[0] - last[0])}{base64_vlq(place[1] - last[1])}A")
        last = place or last
    fields = {"sources": list(sources), "sourcesContent": list(sources.values()), "mappings": ";".join(mappings)}
    return json.dumps({"version": 3, "file": script, **fields}, ensure_ascii=False, separators=(",", ":")).encode()


@functools.cache
def base64_vlq(number: int) -> str:
    """A number in digits of five bits, lowest first; the lowest bit is the sign."""
    rest, digits = abs(number) << 1 | (number < 0), ""
    while True:
        rest, digit = rest >> 5, rest & 31
        digits += BASE64[digit | (32 if rest else 0)]
        if not rest:
            return digits
