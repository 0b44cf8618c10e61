"""The mistakes of a studio file have words in each language of the page, with the same file, line, key and values."""

import re
import string

import pytest

from shared.studio.faults import SPANISH, TEXTS, WORDS, Fault


def placeholders(text: str) -> set[str]:
    """The values that a text needs."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", TEXTS)
def test_every_mistake_has_words_of_its_own_in_spanish_with_the_same_values(code: str) -> None:
    assert SPANISH[code] != TEXTS[code]
    assert placeholders(SPANISH[code]) == placeholders(TEXTS[code]) - {"of", "detail"}  # those are English words


def test_each_language_has_all_mistakes_and_no_others() -> None:
    assert {language: sorted(words) for language, words in WORDS.items()} == {"en": sorted(TEXTS), "es": sorted(TEXTS)}


def test_a_mistake_keeps_its_place_and_says_the_correct_value_and_the_one_in_the_file() -> None:
    def text(value: str) -> str:
        return Fault("studio.toml", "time", {"last": "24:00", "example": "14:00", "value": value}, 14, "shift.end").text("es")

    place = 'studio.toml:14: shift.end debe ser una hora entre comillas, de "00:00" a "24:00", como "14:00"; '
    assert text('"25:00"') == f'{place}dice "25:00"'
    assert text("") == f"{place}no está"
    assert text("a table") == f"{place}dice una tabla"
    assert Fault("studio.toml", "nested").text("es").startswith("studio.toml: tiene valores")


def test_words_of_the_server_are_translated_and_words_of_the_file_are_not() -> None:
    overlap = Fault("studio.toml", "overlap", {"name": '"mon"', "day": "mon", "time": "06:00"}, 2, "shift.start").text("es")
    assert re.search(r'se cruza con "mon" \(lunes, desde las 06:00\)', overlap)
    assert Fault("studio.toml", "no_shift", {"known": "none"}, 2, "target").text("es").endswith("los turnos son: ninguno")
