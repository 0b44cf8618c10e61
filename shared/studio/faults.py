"""The mistakes that a studio file can have: a code, the values that the words need, and the place. Pure.

The log and the start have them in English, a page in its own language.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

# Codes and their words. The words of a fault with a `value` end with it: the value in the file, empty where it has none.
TEXTS: Final = {
    "unknown_key": "is not a key of {of}; its keys are {known}",
    "unknown_key_near": "is not a key of {of} (did you mean {near}?); its keys are {known}",
    "missing_timezone": 'is missing; a right line is timezone = "America/Bogota"',
    "not_table": "should be a table, such as {example}",
    "zone": 'should be the IANA name of a time zone, such as "America/Bogota"',
    "zone_near": 'should be the IANA name of a time zone, such as "America/Bogota" (did you mean "{near}"?)',
    "locale": 'should be a language and a country, such as "es-CO"',
    "currency_code": 'should be an ISO 4217 code of three capital letters, such as "USD"',
    "per_token": "should be what the studio receives for one token, a number above 0 such as 0.05",
    "shift_list": "should be one [[shift]] for each shift, in two brackets",
    "too_many_shifts": "is one shift too many; there may be {most}",
    "same_shift": "is already the name of shift {number}; each shift needs a name of its own",
    "overlap": "overlaps {name} on {day} from {time}; shifts of the same rooms should end before the next one starts",
    "no_length": 'is the same as start, so the shift has no length; a whole day is start = "00:00" and end = "24:00"',
    "time": 'should be a time in quotes from "00:00" to "{last}", such as "{example}"',
    "day_twice": "has a day twice; each day belongs in it once",
    "days": "should be the days on which the shift starts, some of {known}",
    "patterns": 'should be ids of rooms, or beginnings of ids with a *, such as ["room-03", "floor-2-*"]',
    "name": "should be 1-{most} characters in quotes, with no space at either end and no line break",
    "same_name": "is already the name of {owner}; two of them with one name look alike",
    "room_id": "should be the room's id as its producer sends it: 1-64 of A-Z a-z 0-9 space . _ -",
    "account_id": 'should be a platform and an account, such as "chaturbate:3fa9c2e1d07b55aa"',
    "tokens": "should be a whole number of tokens from 0 to {most}",
    "no_shift": "names no shift; the shifts are {known}",
    "target_key": 'should be default, "shift:<name>", "room:<id>" or "account:<platform>:<account>"',
    "too_large": "is larger than {most} KiB, which no studio needs; is it the right file?",
    "not_utf8": "the file is not UTF-8 here; save it with the encoding UTF-8",
    "nested": "its values are nested too deeply; shifts, names and targets need one level",
    "empty": 'timezone is missing, and everything else: the file is empty; begin with timezone = "America/Bogota"',
    "syntax": '{row} is not right TOML ({detail}); a right line looks like name = "Ana" or [room."room-03"]',
    "more": "{count} more problems",
    "unreadable": "cannot be read ({reason})",
    "no_path": "cannot be read ({reason}); STUDIO_FILE should be the path of a studio.toml",
    "no_file": "is not a file; STUDIO_FILE should be the path of a studio.toml",
}

SPANISH: Final = {
    "unknown_key": "no es una clave conocida aquí; las claves son {known}",
    "unknown_key_near": "no es una clave conocida aquí (¿quisiste decir {near}?); las claves son {known}",
    "missing_timezone": 'falta; una línea correcta es timezone = "America/Bogota"',
    "not_table": "debe ser una tabla, como {example}",
    "zone": 'debe ser el nombre IANA de una zona horaria, como "America/Bogota"',
    "zone_near": 'debe ser el nombre IANA de una zona horaria, como "America/Bogota" (¿quisiste decir "{near}"?)',
    "locale": 'debe ser un idioma y un país, como "es-CO"',
    "currency_code": 'debe ser un código ISO 4217 de tres mayúsculas, como "USD"',
    "per_token": "debe ser lo que el estudio recibe por un token: un número mayor que 0, como 0.05",
    "shift_list": "debe ser un [[shift]] por cada turno, entre dos corchetes",
    "too_many_shifts": "es un turno de más; puede haber {most}",
    "same_shift": "ya es el nombre del turno {number}; cada turno necesita un nombre propio",
    "overlap": "se cruza con {name} ({day}, desde las {time}); un turno de las mismas salas debe terminar antes de que empiece otro",
    "no_length": 'es igual a start, así que el turno no dura nada; un día entero es start = "00:00" y end = "24:00"',
    "time": 'debe ser una hora entre comillas, de "00:00" a "{last}", como "{example}"',
    "day_twice": "repite un día; cada día va una sola vez",
    "days": "debe tener los días en que empieza el turno, algunos de {known}",
    "patterns": 'debe tener ids de salas, o comienzos de ids con un *, como ["room-03", "floor-2-*"]',
    "name": "debe tener de 1 a {most} caracteres entre comillas, sin espacios en los extremos ni saltos de línea",
    "same_name": "ya es el nombre de {owner}; dos con el mismo nombre no se distinguen",
    "room_id": "debe ser el id de la sala tal como lo envía su equipo: 1-64 de A-Z a-z 0-9 espacio . _ -",
    "account_id": 'debe ser una plataforma y una cuenta, como "chaturbate:3fa9c2e1d07b55aa"',
    "tokens": "debe ser un número entero de tokens, de 0 a {most}",
    "no_shift": "no nombra ningún turno; los turnos son: {known}",
    "target_key": 'debe ser default, "shift:<nombre>", "room:<id>" o "account:<plataforma>:<cuenta>"',
    "too_large": "pesa más de {most} KiB, que ningún estudio necesita; ¿es el archivo correcto?",
    "not_utf8": "aquí el archivo no está en UTF-8; guárdalo con la codificación UTF-8",
    "nested": "tiene valores anidados de más; turnos, nombres y metas necesitan un solo nivel",
    "empty": 'falta timezone y todo lo demás: el archivo está vacío; empieza con timezone = "America/Bogota"',
    "syntax": '{row} no es TOML correcto; una línea correcta es como name = "Ana" o [room."room-03"]',
    "more": "{count} problemas más",
    "unreadable": "no se puede leer ({reason})",
    "no_path": "no se puede leer ({reason}); STUDIO_FILE debe ser la ruta de un studio.toml",
    "no_file": "no es un archivo; STUDIO_FILE debe ser la ruta de un studio.toml",
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {"en": TEXTS, "es": SPANISH}
# Words that are no values of the file.
NAMED: Final = {
    "a table": "una tabla",
    "a list": "una lista",
    "a huge number": "un número enorme",
    "none": "ninguno",
    "mon": "lunes",
    "tue": "martes",
    "wed": "miércoles",
    "thu": "jueves",
    "fri": "viernes",
    "sat": "sábado",
    "sun": "domingo",
}


class Fault(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a file. `line` and `key` are absent where no line or key is wrong, but the file is."""

    file: str
    code: str
    values: dict[str, str] = {}
    line: int | None = None
    key: str | None = None

    def text(self, language: str = "en") -> str:
        """A line of words: the file, the line, the key, and a correct value."""
        values = self.values if language == "en" else {name: self._spell(name, value) for name, value in self.values.items()}
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = "" if self.key is None else f"{self.key} "
        ends, missing = {"en": ("it is {}", "it is missing"), "es": ("dice {}", "no está")}[language]
        value = values.get("value")
        it_is = "" if value is None else f"; {ends.format(value) if value else missing}"
        return f"{place}: {key}{WORDS[language][self.code].format_map(values)}{it_is}"

    @staticmethod
    def _spell(name: str, value: str) -> str:
        """A value in Spanish, where it is a word of this module and not of the file, which quotes its texts."""
        return NAMED.get(value, value) if name in ("value", "day", "known") else value


class StudioError(Exception):
    """A file is not a right `studio.toml`; `faults` has each thing that is wrong, and `problems` a line of text for it."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self.problems = [fault.text() for fault in faults]
        super().__init__("\n".join(self.problems))
