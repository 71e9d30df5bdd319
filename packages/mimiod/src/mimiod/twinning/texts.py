"""Texts of the lengths and forms that were measured, made of syllables that mean nothing."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from mimiod.seeding.randomness import Key, bits, permutation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.uint64]
    Whole = NDArray[np.int64]
    KeyOf = Callable[[str], Key]

_TAPE = 1 << 16
_LONGEST_WORD = 9
_WIDEST_CODE = 12
_AT_ONCE = 8
"Places of a mask that are drawn by one number."
ALPHABETS = {"9": "0123456789", "a": ascii_lowercase, "A": ascii_uppercase}
"What the letters of a mask stand for."
_EMAIL, _SHORT_EMAIL = "@example.com", "@x.test"
_URL, _SHORT_URL = "https://example.com/", "http://x.test/"


def capacity(mask: str, first: str = "") -> int:
    """Return how many texts a mask has: 9 stands for a digit, a and A for letters.

    With `first` its first such place has one of these letters only.
    """
    sizes = [len(ALPHABETS[letter]) for letter in mask if letter in ALPHABETS]
    if first and sizes:
        sizes[0] = len(first)
    return math.prod(sizes)


def first_place(masks: Iterable[str], start: int) -> int | None:
    """Return the first place from `start` on that is drawn; None if it is not the same in all masks."""
    places = {next((at for at in range(start, len(mask)) if mask[at] in ALPHABETS), -1) for mask in masks}
    found = places.pop() if len(places) == 1 else -1
    return found if found >= 0 and len({mask[found] for mask in masks}) == 1 else None


def start_of(prefix: str) -> int:
    """Return where the first digit of a common prefix is: what stands before it is kept."""
    return next((at for at, letter in enumerate(prefix) if letter.isdigit()), len(prefix))


def made(law: Mapping[str, Any], lengths: Whole, rows: Rows, key: KeyOf, size: int | None) -> list[str]:
    """Return a text for each row.

    Args:
        law: as `twin.json` has it.
        lengths: how long the texts are to be.
        rows: what the texts depend on, beside `key`: rows of one number have texts of one form.
        key: the random numbers, by what they are for.
        size: where texts have to differ, how many rows there are at most; 0 where that is not known.
    """
    form = law["form"]
    if form == "mask":
        return _masked(law, rows, key, size)
    if form == "uuid":
        first, second = bits(key("first"), rows), bits(key("second"), rows)
        return [_uuid(one, other) for one, other in zip(first.tolist(), second.tolist(), strict=True)]
    if form == "object_id":
        first, second = bits(key("first"), rows), bits(key("second"), rows)
        return [f"{a:016x}{b & 0xFFFFFFFF:08x}" for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    starts = (bits(key("start"), rows) % np.uint64(_TAPE)).tolist()
    codes = [""] * len(rows) if size is None else _codes(rows, key, size)
    wanted = zip(starts, lengths.tolist(), codes, strict=True)
    if (make := _FORMS.get(form)) is not None:
        tape = _tape(law["salt"], "")
        return [make(tape, start, length, code) for start, length, code in wanted]
    between = " " if law["spaced"] else "-" if form == "slug" else ""
    tape, change = _tape(law["salt"], between), _CASES[law["case"]]
    return [change(_syllables(tape, start, length, code, between)) for start, length, code in wanted]


def _codes(rows: Rows, key: KeyOf, size: int) -> list[str]:
    """Return letters that differ for different rows."""
    width = _WIDEST_CODE if not size else max(1, math.ceil(math.log(max(2, size), 26)))
    numbers = (
        permutation(key("code"), rows, 26**width) if size else bits(key("code"), rows) % np.uint64(26**width)
    )
    return _filled("a" * width, numbers, lambda _: numbers // np.uint64(26**_AT_ONCE))


def _filled(mask: str, numbers: Rows, more: Callable[[int], Rows], first: str = "") -> list[str]:
    """Return the text of a mask for each number; places that these do not reach are filled by `more` numbers.

    Texts are different for different numbers below the capacity of the last `_AT_ONCE` places that are drawn.
    """
    found = np.tile(np.frombuffer(mask.encode(), np.uint8), (len(numbers), 1))
    free = [place for place in range(len(mask) - 1, -1, -1) if mask[place] in ALPHABETS]
    for at, place in enumerate(free):
        if at and at % _AT_ONCE == 0:
            numbers = more(at)
        letters = first if first and place == free[-1] else ALPHABETS[mask[place]]
        drawn, numbers = numbers % np.uint64(len(letters)), numbers // np.uint64(len(letters))
        found[:, place] = np.frombuffer(letters.encode(), np.uint8)[drawn.astype(np.intp)]
    width = len(mask)
    whole = found.tobytes().decode("ascii")
    return [whole[at : at + width] for at in range(0, len(whole), width)] if width else [""] * len(numbers)


def _masked(law: Mapping[str, Any], rows: Rows, key: KeyOf, size: int | None) -> list[str]:
    prefix, first = law["prefix"], law["first"]
    shares = np.cumsum([share for _, share in law["masks"]])
    chosen = np.searchsorted(
        shares / shares[-1], (bits(key("mask"), rows) >> np.uint64(11)) / 2.0**53, "right"
    )
    texts = [""] * len(rows)
    for code, (mask, _) in enumerate(law["masks"]):
        own = np.flatnonzero(chosen == code)
        rest, some = mask[len(prefix) :], rows[own]
        most = _capacity_at_once(rest, first)
        salted = key(f"mask {code}")
        numbers = permutation(salted, some, most) if size else bits(salted, some) % np.uint64(most)
        filled = _filled(rest, numbers, partial(_more, key, f"mask {code}", some), first)
        for place, text in zip(own.tolist(), filled, strict=True):
            texts[place] = prefix + text
    return texts


def _capacity_at_once(mask: str, first: str) -> int:
    free = [letter for letter in mask if letter in ALPHABETS]
    return capacity("".join(free[-_AT_ONCE:]), first if len(free) <= _AT_ONCE else "")


def _more(key: KeyOf, name: str, rows: Rows, at: int) -> Rows:
    return bits(key(f"{name} {at}"), rows)


def _syllables(tape: str, start: int, length: int, code: str, between: str = "") -> str:
    """Return a text of this length that ends with a code."""
    length = max(length, len(code))
    while start + length > len(tape):
        tape += tape
    text = tape[start : start + length - len(code)]
    if between and text:
        text = f"{text[0].replace(between, 'o')}{text[1:]}"
        if not code:
            text = f"{text[:-1]}{text[-1].replace(between, 'o')}"
    return text + code


def _email(tape: str, start: int, length: int, code: str) -> str:
    host = _EMAIL if length > len(_EMAIL) + len(code) else _SHORT_EMAIL
    return _syllables(tape, start, max(1, length - len(host)), code) + host


def _url(tape: str, start: int, length: int, code: str) -> str:
    host = _URL if length > len(_URL) + len(code) else _SHORT_URL
    return host + _syllables(tape, start, max(0, length - len(host)), code)


def _phone(tape: str, start: int, length: int, code: str) -> str:
    """Return a telephone number of no country: no code of one begins with 0."""
    return "+" + _digits(tape, start, length - 1, code)


def _digits(tape: str, start: int, length: int, code: str) -> str:
    """Return digits with 0 first; a code of letters becomes two digits a letter."""
    told = "".join(f"{ord(letter) - 97:02d}" for letter in code)
    drawn = (str(ord(letter) % 10) for letter in _syllables(tape, start, max(0, length - 1 - len(told)), ""))
    return f"0{''.join(drawn)}{told}"


def _address(tape: str, start: int, length: int, code: str) -> str:
    """Return an address out of the block 240.0.0.0/4, which nobody has (RFC 1112)."""
    del tape, code
    digits = min(9, max(3, length - len("240...")))
    parts, number = [], int(Key.of("address", start).start)
    for left in (3, 2, 1):
        own = math.ceil(digits / left)
        digits -= own
        low, high = ((0, 9), (10, 99), (100, 255))[own - 1]
        number, drawn = divmod(number, high - low + 1)
        parts.append(str(low + drawn))
    return "240." + ".".join(parts)


def _uuid(first: int, second: int) -> str:
    text = f"{first:016x}{second:016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=16)
def _tape(salt: str, between: str) -> str:
    """Return syllables one after the other, in words if something stands between these."""
    numbers = bits(Key.of("twin", "tape", salt, between), np.arange(_TAPE, dtype=np.uint64)).tolist()
    parts: list[str] = []
    left = 0
    for number in numbers:
        if between and left <= 0:
            parts += [between] if parts else []
            left = 1 + number % _LONGEST_WORD // 2
        parts.append("bdfgjkvwxz"[number // 16 % 10] + "aeiou"[number // 256 % 5])
        left -= 1
    tape = "".join(parts)
    return tape + tape[:_TAPE]


_CASES: dict[str, Callable[[str], str]] = {
    "lower": str.lower, "upper": str.upper, "capital": lambda text: text[:1].upper() + text[1:],
}  # fmt: skip
_FORMS: dict[str, Callable[[str, int, int, str], str]] = {
    "email": _email, "url": _url, "phone": _phone, "digits": _digits, "ip_address": _address,
}  # fmt: skip
