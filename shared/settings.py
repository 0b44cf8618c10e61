"""Environment to typed settings, read once; every bad variable is reported together.

A field `some_name` is read from `SOME_NAME`. The `Meta` of its type holds the bounds and, as `description`, what a right value is:
the error message and the table in docs/operations.md say the same because they are made from the same words.
"""

import ipaddress
import json
import os
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from shared.auth import origins
from shared.store.database_url import DatabaseUrl
from shared.store.redis import RedisUrl
from shared.tokens.keys import Keyring, PublicKeys, SecretKeys

Port = Annotated[int, Meta(ge=0, le=65535, description="a port number, 0 for any free one")]
KEYS: Final = "kid:secret or kid:ed25519:seed[,…], each secret at least 32 bytes; the first one signs"
PositiveSeconds = Annotated[float, Meta(gt=0, description="a number of seconds above 0")]


class SettingsError(Exception):
    """Some variables are missing or wrong; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Origins:
    """Web origins allowed to connect, beside the service's own."""

    def __init__(self, values: frozenset[str]) -> None:
        self.values = values

    @classmethod
    def parse(cls, text: str) -> "Origins":
        """Reads a comma separated list, in any case and with or without a default port; raises ValueError for what never matches."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        values = list(map(origins.normalised, parts))
        if None in values:
            raise ValueError(
                f"number {values.index(None) + 1} is no origin that a browser sends; it is written like https://wall.example.com, "
                "without user, path, final slash, query or wildcard, and a name that is not ASCII as xn--…"
            )
        return cls(frozenset(filter(None, values)))


class Proxies:
    """Whose `X-Forwarded-For` is believed. The address of any other client is the one that its connection comes from."""

    def __init__(self, values: list[str]) -> None:
        self.values = values

    @classmethod
    def parse(cls, text: str) -> "Proxies":
        """Reads a comma separated list; raises ValueError, also for a network that is the whole world."""
        try:
            networks = [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]
        except ValueError:
            raise ValueError("each is an address or a network") from None  # the library's own text repeats the value
        if not all(network.prefixlen for network in networks):
            raise ValueError("trusting every address lets clients choose theirs")
        return cls(list(map(str, networks)))


Redis = Annotated[
    RedisUrl,
    Meta(
        description="redis://[user:password@]host:port/db, rediss://…, unix://…, "
        "redis+sentinel://[user:password@]host:port[,host:port]/master-name[/db] or redis+cluster://[user:password@]host:port[,host:port]"
    ),
]

DATABASES: Final = "sqlite:///path, sqlite:////absolute/path or postgresql+psycopg://user[:password]@host[:port]/database[?option=value]"
Database = Annotated[DatabaseUrl, Meta(description=DATABASES)]
OptionalDatabase = Annotated[DatabaseUrl | None, Meta(description=DATABASES)]


class StoreSettings(Struct, frozen=True, kw_only=True):
    """Where Redis is."""

    redis_url: Redis


Secrets = Annotated[SecretKeys, Meta(description=KEYS)]
Publics = Annotated[PublicKeys, Meta(description="kid:ed25519:key or kid:path-to-PEM[,…]; RSA, P-256 or Ed25519 public keys")]


class KeySettings(Struct, frozen=True, kw_only=True):
    """All keys; there may be none."""

    token_keys: Secrets = SecretKeys({})
    token_public_keys: Publics = PublicKeys({})

    @property
    def keyring(self) -> Keyring:
        """All keys that may verify a token."""
        return Keyring({**self.token_public_keys.keys, **self.token_keys.keys})


class TokenSettings(KeySettings, frozen=True, kw_only=True):
    """The keys to sign and verify tokens: at least one."""


class InspectSettings(KeySettings, frozen=True, kw_only=True):
    """What `inspect` uses; without keys or without Redis part of its answer is missing."""

    redis_url: Redis | None = None


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """What every process that runs for ever reads."""

    redis_url: Redis
    telemetry_shards: Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")] = 1
    history_step_seconds: Annotated[int, Meta(ge=1, le=60, description="seconds from 1 to 60 that divide a minute")] = 60
    history_retention_days: Annotated[int, Meta(ge=1, le=366, description="days from 1 to 366")] = 35
    metrics_host: Annotated[str, Meta(description="an address to listen on, or a network that this machine has an address in")] = (
        "127.0.0.1"
    )
    otel_exporter_otlp_endpoint: Annotated[
        str, Meta(pattern=r"\Ahttps?://[^\s/?#@]+(/[^\s?#]*)?\Z", description="the http(s) address of an OpenTelemetry collector")
    ] = ""
    log_level: Annotated[str, Meta(pattern=r"\A(debug|info|warning|error)\Z", description="debug, info, warning or error")] = "info"
    log_format: Annotated[str, Meta(pattern=r"\A(json|console)\Z", description="json or console")] = "json"


class CommonSettings(ProcessSettings, frozen=True, kw_only=True):
    """What the services that verify tokens read beside that: the ingest and the broadcast service."""

    token_keys: Secrets = SecretKeys({})
    token_public_keys: Publics = PublicKeys({})
    telemetry_ttl_seconds: Annotated[int, Meta(ge=1, le=30 * 86400, description="seconds from 1 to 2592000")] = 3600
    allowed_origins: Annotated[Origins, Meta(description="scheme://host[:port], comma separated, without a path or a final slash")] = (
        Origins(frozenset())
    )
    forwarded_allow_ips: Annotated[Proxies, Meta(description="addresses or networks, comma separated")] = Proxies([])
    address_share: Annotated[float, Meta(ge=0, le=1, description="a part of a core from 0 to 1, 0 for no limit")] = 0.025

    @property
    def keyring(self) -> Keyring:
        """All keys that may verify a token."""
        return Keyring({**self.token_public_keys.keys, **self.token_keys.keys})


class BackgroundSettings(ProcessSettings, frozen=True, kw_only=True):
    """What a service without clients reads with a default of its own."""

    metrics_port: Port


class ServiceSettings(CommonSettings, frozen=True, kw_only=True):
    """What each service reads with a default of its own."""

    metrics_port: Port


def for_audience(audience: str, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment of an issuer: `INGEST_TOKEN_KEYS` or `DASHBOARD_TOKEN_KEYS`, where set, has the keys that sign for an audience."""
    own = environ.get(f"{audience.upper()}_TOKEN_KEYS", "").strip()
    return {**environ, "TOKEN_KEYS": own} if own else environ


def for_all_audiences(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment of a reader of tokens of any audience."""
    names = ("TOKEN_KEYS", "INGEST_TOKEN_KEYS", "DASHBOARD_TOKEN_KEYS")
    return {**environ, "TOKEN_KEYS": ",".join(filter(None, (environ.get(name, "").strip() for name in names)))}


T = TypeVar("T", bound=Struct)


def load(kind: type[T], environ: Mapping[str, str] = os.environ) -> T:
    """Reads the settings of one service; raises SettingsError naming every bad or missing variable."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        name, hint, text = field.name.upper(), hints[field.name], environ.get(field.name.upper(), "").strip()
        if text:
            try:
                values[field.name] = msgspec.convert(text, hint, strict=False, dec_hook=_parse)
            except msgspec.ValidationError as error:
                problems.append(f"{name} should be {describe(hint)} ({_reason(error)})")
        elif field.required:
            problems.append(f"{name} is not set; it should be {describe(hint)}")
    problems += _across(kind, values, environ)
    if problems:
        raise SettingsError(problems)
    return kind(**values)


def describe(hint: Any) -> str:
    """What a right value of a setting is, in words."""
    metas = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Meta) and m.description]
    return metas[-1].description or "" if metas else "another value"


def lines_of_help(kind: type[Struct]) -> str:
    """The variables that a service reads: what a right value of each is, and its default where a text or a number is one."""
    hints = typing.get_type_hints(kind, include_extras=True)
    lines = ["settings, from environment variables:"]
    for field in msgspec.structs.fields(kind):
        default = json.dumps(field.default).strip('"') if isinstance(field.default, str | int | float) else ""
        lines += [
            f"  {field.name.upper()}{' (required)' if field.required else ''}",
            f"      {describe(hints[field.name])}{default and f' (default: {default})'}",
        ]
    return "\n".join(lines)


def _across(kind: type[Struct], values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Rules that involve more than one variable, or none that was given."""
    problems = []
    has_keys = any(environ.get(name, "").strip() for name in ("TOKEN_KEYS", "TOKEN_PUBLIC_KEYS"))
    if issubclass(kind, TokenSettings | CommonSettings) and not has_keys:
        problems.append(f"TOKEN_KEYS is not set; it should be {KEYS} (or set TOKEN_PUBLIC_KEYS)")
    if 60 % values.get("history_step_seconds", 60):
        problems.append("HISTORY_STEP_SECONDS should be seconds from 1 to 60 that divide a minute")
    return problems


def _reason(error: Exception) -> str:
    """An error text that cannot hold a secret: msgspec names types and bounds, our own errors are written without values."""
    return str(error).split(" - at ")[0].replace("`", "")


def _parse(kind: Any, text: str) -> Any:
    """Reads the types that are ours; msgspec asks for them and turns a ValueError into its own."""
    return kind.parse(text)
