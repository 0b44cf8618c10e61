"""The page's modules in two scripts: they do what they do apart, and a source map leads to each of their lines."""

import json
import pathlib
import subprocess

import pytest

from broadcast_service.http.scripts import Modules, base64_vlq
from broadcast_service.http.static import DIRECTORY, condensed_module, read_files
from tests.support import needs

# Every form of import and export that is understood. `say` keeps what ran, in its order.
MODULES = {
    "app.js": """/** The entry. */
import { Counter, word as first } from './link/a.js';
import {
  say,
  words,
} from './state/say.js';

/** @typedef {import('./link/types.js').Link} Link */
say(`app ${first} ${new Counter().next()}`);
const word = 'own'; // the same name as in the other module
export const later = async () => {
  const { view } = await import('./views/view.js');
  const { Counter: Again } = await import('./link/a.js');
  return [view(), word, Again === Counter, words];
};
""",
    "link/a.js": """import { say } from '../state/say.js';

say('a');
export const word = 'of a';
export class Counter {
  #at = 0;
  next() {
    return ++this.#at;
  }
}
""",
    "link/types.js": "/** @typedef {string} Link */\nexport {};\n",
    "state/say.js": "export const words = [];\nexport function say(word) {\n  words.push(word);\n}\n",
    "views/view.js": """import { say } from '../state/say.js';
import { name } from '../ui/name.js';
import { shout } from './shout.js';
export const view = () => shout(name);
export async function more() {
  return (await import('./more.js')).more;
}
say('view');
""",
    "ui/name.js": "export const name = 'view';\n",
    "views/shout.js": "import { name } from '../ui/name.js';\nexport const shout = (word) => `${word}!${name.length}`;\n",
}
RUN = """
const { $app } = await import(process.argv[1]);
console.log(JSON.stringify(await $app.later()));
"""
# For each line, the module that the source map leads to, and the text of the line there.
FOLLOW = """
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
const lines = readFileSync(process.argv[1], 'utf8').split('\\n');
const payload = JSON.parse(readFileSync(`${process.argv[1]}.map`, 'utf8'));
const sources = new Map(payload.sources.map((name, index) => [name, payload.sourcesContent[index].split('\\n')]));
const map = new SourceMap(payload);
console.log(JSON.stringify(lines.map((line, number) => {
  const { originalSource, originalLine } = map.findEntry(number, 0);
  return [line, originalSource, sources.get(originalSource)?.[originalLine]];
})));
"""


def joined(changes: dict[str, str] | None = None) -> dict[str, bytes]:
    """The scripts of the small page above and their maps, with other modules in it."""
    modules = Modules(MODULES | {"views/more.js": "export const more = 1;\n"} | (changes or {}), condensed_module)
    scripts = modules.scripts()
    return {name: script.text for name, script in scripts.items()} | {f"{name}.map": script.map for name, script in scripts.items()}


def node(directory: pathlib.Path, program: str, script: str) -> object:
    """What a program says about a script in a directory."""
    command = [needs.node(), "--input-type=module", "--eval", program, "--", str(directory / script)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def write(directory: pathlib.Path, files: dict[str, bytes]) -> None:
    """Writes files, and says that scripts are modules."""
    (directory / "package.json").write_text('{"type": "module"}')
    for name, content in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(content)


def test_modules_in_scripts_do_what_they_do_apart(tmp_path: pathlib.Path) -> None:
    """Each runs once, behind those that it imports, with names of its own; modules that are loaded later use the same ones."""
    write(tmp_path, joined())
    apart = tmp_path / "apart"
    apart.mkdir()
    write(apart, {name: text.encode() for name, text in MODULES.items()})
    expected = ["view!4", "own", True, ["a", "app of a 1", "view"]]
    assert node(tmp_path, RUN, "app.js") == expected
    assert node(apart, RUN.replace("{ $app }", "$app"), "app.js") == expected


def test_a_script_has_the_modules_that_are_loaded_with_it() -> None:
    """Behind an `import()`, also one in a module that is itself loaded later; a module of types is in none."""
    modules = Modules(MODULES | {"views/more.js": "export const more = 1;\n"}, condensed_module)
    assert modules.first == ["state/say.js", "link/a.js", "app.js"]
    assert modules.later == ["ui/name.js", "views/shout.js", "views/view.js", "views/more.js"]


def test_a_page_without_deferred_imports_is_one_script() -> None:
    assert list(Modules({"app.js": "const a = 1;\n"}, condensed_module).scripts()) == ["app.js"]


@pytest.mark.parametrize(
    ("module", "text", "words"),
    [
        ("app.js", "import { a } from './gone.js';\n", r"gone\.js"),
        ("app.js", "button.onclick = () => import('./gone.js');\n", r"gone\.js"),
        ("views/more.js", "import { a } from './gone.js';\n", r"views/gone\.js"),
        ("link/a.js", "import { shout } from '../state/say.js';\n", r"link/a\.js imports shout from state/say\.js"),
        ("state/say.js", "import { word } from '../link/a.js';\n", r"link/a\.js → state/say\.js → link/a\.js: .* import each other"),
        ("app.js", "import { later } from './app.js';\n", r"app\.js → app\.js: .* import each other"),
        *(
            ("ui/name.js", f"{text}\n", "ui/name.js: ")
            for text in (
                "export default 1;",
                "export * from './a.js';",
                "export { a } from './a.js';",
                "const a = 1;\nexport { a };",
                "export let a = 1;",
                "export const { a, b } = window;",
                "export function* a() {}",
                "import './a.js';",
                "import a from './a.js';",
                "import * as a from './a.js';",
                'import { a } from "./a.js";',
                "import { a } from 'library';",
                "import { a } from './a.js' with { type: 'json' };",
                "const a = import.meta.url;",
                "const a = () => import(`./a.js`);",
                "const a = () => import(name);",
            )
        ),
    ],
)
def test_what_cannot_be_joined_is_an_error_at_the_start(module: str, text: str, words: str) -> None:
    """And not at the first click."""
    with pytest.raises((KeyError, ValueError), match=words):
        joined({module: text})


@pytest.mark.parametrize("script", ["app.js", "later.js"])
def test_the_map_leads_from_every_line_to_the_line_of_its_module(tmp_path: pathlib.Path, script: str) -> None:
    """Of the page as it is sent, by Node's reader of source maps; the map has the modules whole, with their comments."""
    pages = read_files().pages
    write(tmp_path, {name: pages[name].plain for name in (script, f"{script}.map")})
    found = node(tmp_path, FOLLOW, script)
    assert isinstance(found, list)
    own = [(line, source, there) for line, source, there in found if not line.startswith(("import {", "export {", "//#")) and line]
    assert len(own) > 2000
    wrong = [(line, source, there) for line, source, there in own if not is_of(line, there)]
    assert wrong == []
    sources = json.loads(pages[f"{script}.map"].plain)
    assert {source for _, source, _ in own} == set(sources["sources"])
    assert dict(zip(sources["sources"], sources["sourcesContent"], strict=True)) == {
        name: (DIRECTORY / name).read_text() for name in sources["sources"]
    }


def is_of(sent: str, source: str | None) -> bool:
    """Whether a line that is sent is one of the source, in the form that is sent."""
    if source is None or sent.startswith("const $"):  # the beginning of a module, with its first line
        return source is not None
    if sent.endswith("}; })();"):  # its end, behind its last line
        return source == ""
    if sent == "const {" or " = $" in sent:
        return source.startswith(("import {", "} from '")) or source.strip() == sent
    if "import('./later.js')" in sent:
        return "import('" in source
    return condensed_module(source).strip().removeprefix("export ") == sent.strip()


@pytest.mark.parametrize(
    ("number", "digits"), [(0, "A"), (1, "C"), (-1, "D"), (15, "e"), (16, "gB"), (-16, "hB"), (511, "+f"), (1000, "w+B")]
)
def test_numbers_of_a_map_are_digits_of_five_bits(number: int, digits: str) -> None:
    """ECMA-426, 5.3; the lowest bit of the first digit is the sign."""
    assert base64_vlq(number) == digits
