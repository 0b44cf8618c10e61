"""The page names the modules that it needs, derived from the imports of the files that are served."""

import pytest

from broadcast_service.http.static import imported_modules, preload_links, read_files


def test_modules_are_found_through_every_form_of_import() -> None:
    """One line, several lines, a re-export, a folder above; each once, nearest first."""
    contents = {
        "app.js": b"import { a } from './link/a.js';\nimport {\n  b,\n  c,\n} from './ui/b.js';\n/** import('./types.js') */\n",
        "link/a.js": b"import { b } from '../ui/b.js';\n",
        "ui/b.js": b"export { c } from './c.js';\n",
        "ui/c.js": b"import { a } from '../link/a.js';\n",
        "types.js": b"export {};\n",
    }
    assert imported_modules(contents) == ["link/a.js", "ui/b.js", "ui/c.js"]
    assert preload_links(contents).count(b'<link rel="modulepreload" href="') == 3


def test_an_import_of_a_missing_file_is_an_error_at_the_start() -> None:
    with pytest.raises(KeyError, match=r"gone\.js"):
        imported_modules({"app.js": b"import { a } from './gone.js';\n"})


def test_the_served_page_names_modules_of_every_folder() -> None:
    page = read_files().pages["index.html"].plain.decode()
    assert "<!-- modulepreload -->" not in page
    for module in ("link/connection.js", "state/store.js", "i18n/es.js", "ui/lanes.js", "views/live.js"):
        assert f'<link rel="modulepreload" href="{module}">' in page
