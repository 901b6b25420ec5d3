"""Names of teams and notes: what is allowed, and which names look alike."""

import re
import unicodedata

from thumbnet.challenge.settings import ChallengeError

MAX_NAME_CHARS = 40
MAX_MARKS = 2  # combining marks on one letter; more paint over the lines around
REFUSED_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
INVISIBLE |= {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}

# Cyrillic and Greek letters drawn like Latin ones, and Latin ones drawn like each other.
# Source: a part of Unicode Technical Standard 39, confusables.txt
_LOOKS_LIKE = str.maketrans(
    "АВСЕНІЈКМОРЅТУХҮԌԚԜӀавсԁеһіјкмнорԛгѕтуүѵԝхӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεικνορτυχωıɑɡ",
    "ABCEHIJKMOPSTYXYGQWlabcdehijkmhopqrstyyvwxlABEZHIKMNOPTYXabyeikvoptuxwiag",
)
_ALIKE_AFTER_FOLDING = str.maketrans("01i|!5$@", "ollllssa")
_SKIPPED = re.compile("[\\s._'\u2019\u00b7-]+")


def clean_name(name: str) -> str:
    """Return a team's name in its one form: NFC, single spaces.

    Raises: ChallengeError where it is empty, too long, or holds what is not seen
    """
    if bad := _first_bad(name):
        raise ChallengeError(
            f"a team's name must not hold {bad}; take letters, digits, signs and single spaces"
        )
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise ChallengeError(
            f"a team's name has 1 to {MAX_NAME_CHARS} characters; this one has {len(name)}"
        )
    if not skeleton(name):
        raise ChallengeError("a team's name must hold more than spaces and dots")
    return name


def clean_note(note: str, max_chars: int) -> str:
    """Return a note without what is not seen, cut to so many characters."""
    kept = "".join(char for char in note if char in "\n\t" or not _is_bad(char))
    return unicodedata.normalize("NFC", kept).strip()[:max_chars]


def skeleton(name: str) -> str:
    """Return what remains of a name when letters that look alike are made equal.

    Example: skeleton("Τeаm 1") == skeleton("team l") == "teaml"
    """
    folded = unicodedata.normalize("NFKC", name).translate(_LOOKS_LIKE).casefold()
    bare = "".join(
        char for char in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(char)
    )
    alike = _SKIPPED.sub("", bare).translate(_LOOKS_LIKE).translate(_ALIKE_AFTER_FOLDING)
    return alike.replace("rn", "m").replace("vv", "w")


def slug_of(name: str) -> str:
    """Return the part of an address that stands for a name; empty where no Latin letter is."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")


def _is_bad(char: str) -> bool:
    return unicodedata.category(char) in REFUSED_CATEGORIES or ord(char) in INVISIBLE


def _first_bad(name: str) -> str:
    marks = 0
    for char in name:
        if _is_bad(char):
            return f"the character U+{ord(char):04X} ({unicodedata.name(char, 'control')})"
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MAX_MARKS:
            return f"more than {MAX_MARKS} marks on one letter"
    return ""
