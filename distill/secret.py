"""What in a recipe is a secret, and text without it.

May be imported by recipe and the command line; imports nothing heavy of ours.
Design reason: what is written to a run directory is decided once, when the recipe is loaded, by taking every secret out
of the data; what is said on a screen is searched again, since an error may quote a line nobody could parse.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

from distill import located
from distill.located import Place

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`${NAME}` in a recipe."""

SHORTEST = 6
"""Shorter values, such as `1` or `true`, are not looked for in a text: replacing them would garble it."""

_NAME = re.compile(
    r"(?:^|_)(?:(?:api|access|secret|private|account|subscription|function|auth|shared|client)_?keys?"
    r"|(?<!eos_)(?<!bos_)(?<!pad_)(?<!end_)(?<!stop_)(?<!start_)(?<!think_)token|(?:access|api|auth|refresh)_tokens"
    r"|(?:secret|password|passwd|passphrase|pwd|authorization|bearer|credential|cookie|session_?id)s?)$"
)
"""`eos_token` and its kind are pieces of text, `max_tokens` is a number."""
_PERHAPS = re.compile(r"(?:^|_)(?:key|auth|sig|signature)$")
"""Called like one, and one unless the value is a plain word, as in `key: id` or `auth: basic`."""
_HEADERS = frozenset({"headers", "extra_headers", "default_headers", "http_headers"})
_PLAIN_HEADERS = frozenset(
    {"accept", "accept_encoding", "accept_language", "content_type", "user_agent", "http_referer"}
)
"""Headers that say nothing about who asks."""
_DATA = frozenset({"when", "fields"})
"""Under these, keys are names of columns."""
_TYPOS = ("apikey", "password", "authorization")
_WORD = re.compile(r"[A-Za-z_]{1,15}")
_KNOWN = re.compile(
    r"\b(?:[spr]k-[\w-]{12,}|hf_\w{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}"
    r"|AKIA[0-9A-Z]{12,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
)
"""Keys that show what they are by how they begin: OpenAI and its kin, Hugging Face, GitHub, Slack, Google, AWS, JWT."""
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey)\s+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*(?=@)")
_QUERY = re.compile(r"(?<=[?&])([^=&\s#]+)=([^&\s#]+)")
_PAIR = re.compile(
    r"""(([\w.-]+)["']?\s*[:=]\s*["']?)((?:(?:bearer|basic) )?(?:\$\{\w+\}|[^\s"',}\]&#])+)""", re.IGNORECASE
)


def is_secret(place: Iterable[str | int], text: str = "") -> bool:
    """Whether what stands under these keys is a secret by what they are called. Indices of lists do not count."""
    names = [_plain(step) for step in place if isinstance(step, str)]
    if not names or _DATA & {*names[:-1]}:
        return False
    if any(_NAME.search(name) for name in names) or get_close_matches(_bare(names[-1]), _TYPOS, cutoff=0.8):
        return True
    if any(name in _HEADERS for name in names[:-1]):
        return names[-1] not in _PLAIN_HEADERS
    return bool(_PERHAPS.search(names[-1])) and not _WORD.fullmatch(text)


def _plain(name: str) -> str:
    """`x-api-key` and `apiKey` as `x_api_key` and `api_key`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _bare(name: str) -> str:
    return name.replace("_", "")


# ---------------------------------------------------------------- taking secrets out of data


def take_out(data: Any) -> dict[str, str]:
    """Put a `${NAME}` in place of every secret that stands in `data` itself; the secrets by those names."""
    found: dict[str, str] = {}
    texts = [(place, text) for place, text in located.texts(data) if place]
    taken = {name for _, text in texts for name in VARIABLE.findall(text)}
    for place, text in texts:

        def name(secret: str, place: Place = place) -> str:
            base = re.sub(r"\W", "_", "_".join(map(str, place))).upper()
            new = next(one for one in _numbered(base) if one not in taken)
            taken.add(new)
            found[new] = secret
            return f"${{{new}}}"

        hidden = _hidden(place, text, name)
        if hidden != text:
            inside = data
            for step in place[:-1]:
                inside = inside[step]
            inside[place[-1]] = hidden
    return found


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 1
    while True:
        number += 1
        yield f"{base}_{number}"


def _hidden(place: Place, text: str, name: Callable[[str], str]) -> str:
    """`text` with `name(secret)` for each secret in it."""
    if is_secret(place, text):
        scheme = _SCHEME.match(text)
        start = scheme.end() if scheme else 0
        parts = re.split(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})", text[start:])  # the variables are every second one
        return text[:start] + "".join(name(p) if p.strip() and not n % 2 else p for n, p in enumerate(parts))
    text = _USERINFO.sub(lambda match: _userinfo(match[0], name), text)
    text = _QUERY.sub(lambda match: f"{match[1]}={_parameter(match[1], match[2], name)}", text)
    return _KNOWN.sub(lambda match: name(match[0]), text)


def _userinfo(text: str, name: Callable[[str], str]) -> str:
    """The password, or the user where there is none or where it is as long as a key."""
    user, colon, password = text.partition(":")
    if VARIABLE.search(text) or not text:
        return text
    if not password or len(user) > 15:
        user = name(user) if user else user
    return user + colon + (name(password) if password else "")


def _parameter(key: str, value: str, name: Callable[[str], str]) -> str:
    return name(value) if is_secret((key,)) and not VARIABLE.search(value) else value


# ---------------------------------------------------------------- taking secrets out of text


def redact(text: str, secrets: dict[str, str]) -> str:
    """`text` with every one of these values replaced by its `${NAME}`, longest first."""
    forms = {form: name for name, value in secrets.items() for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, f"${{{forms[form]}}}")
    return text


def mask(text: str, secrets: dict[str, str] | None = None) -> str:
    """`text` with secrets as `***` of the same length, so that what points into it still does.

    Beside `secrets` these are the values of keys that are called like one: a text that nobody could parse has no data.
    """
    forms = {form for value in (secrets or {}).values() for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "*" * len(form))
    text = _PAIR.sub(_masked_pair, text)
    text = _USERINFO.sub(lambda match: _userinfo(match[0], _stars), text)
    text = _QUERY.sub(lambda match: f"{match[1]}={_parameter(match[1], match[2], _stars)}", text)
    return _KNOWN.sub(lambda match: _stars(match[0]), text)


def mask_flag(key: str, value: str) -> str:
    """`key=value` of a flag as it may be shown."""
    return f"{key}={_stars(value) if is_secret(key.split('.'), value) else mask(value)}"


def _masked_pair(match: re.Match[str]) -> str:
    before, key, value = match.groups()
    hides = is_secret(key.split("."), value) and not VARIABLE.search(value) and value[0] not in "{[&*|>"
    return before + (_stars(value) if hides else value)


def _stars(text: str) -> str:
    return "*" * len(text)


def _forms(value: str) -> set[str]:
    """A secret as it may stand in a text: itself, its lines, itself without the escapes of a URL."""
    forms = {value, value.strip(), unquote(value), *(line.strip() for line in value.splitlines())}
    return {form for form in forms if len(form) >= SHORTEST}
