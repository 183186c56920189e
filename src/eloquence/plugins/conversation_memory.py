"""Remembers what learners say of themselves from one conversation to the next, for those who want
that: their first name, their trade, what they prepare, dates, names of projects.

The facts are found by rules, in the learner's own sentences and nowhere else; they are theirs to
see, to correct and to erase. Nothing is inferred: what was not said so is not found.
"""

import re
from collections.abc import Iterator, Sequence

from eloquence.plugins import Context, Fact, Options, Plugin, Said

LONGEST = 80
"""Characters of a fact."""

_NAME = r"(?P<found>[A-ZÀ-Ý][\w’'-]*[^\W\d_](?:[ -][A-ZÀ-Ý][\w’'-]*[^\W\d_])?)"
_SPOKEN_NAME = r"(?P<found>[^\W\d_][\w’'-]*[^\W\d_])"
_PHRASE = r"(?P<found>[^.,;:!?…\n]{3,80})"
_MONTHS_FR = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
_MONTHS_EN = "January|February|March|April|May|June|July|August|September|October|November|December"

RULES: dict[str, tuple[tuple[str, str], ...]] = {
    "fr": (
        ("name", rf"\b[Jj]e m['’]appelle {_SPOKEN_NAME}"),
        ("name", rf"\b[Mm]on (?:pré)?nom (?:est|c['’]est) {_SPOKEN_NAME}"),
        ("trade", rf"\b[Jj]e travaille (?:comme|en tant que|en tant qu['’]) ?{_PHRASE}"),
        ("trade", r"\b[Jj]e suis (?P<found>[^.,;:!?…\n]{3,60}?) (?:de métier|de profession|"
                  r"de formation|depuis \w+ (?:ans|mois))"),
        ("trade", rf"\b[Mm]on (?:métier|travail|poste)[ ,]+(?:c['’]est|est)(?: celui)? ?{_PHRASE}"),
        ("prepares", rf"\b(?:[Jj]e prépare|[Jj]e me prépare (?:à|au|aux|pour)) {_PHRASE}"),
        ("prepares", r"\b[Jj]e (?:passe|vais passer|dois passer) "
                     r"(?P<found>(?:un|une|le|la|l['’]|mon|ma) ?"
                     r"(?:entretien|examen|oral|concours|audition|soutenance|bac\b|brevet)"
                     r"[^.,;:!?…\n]{0,60})"),
        ("project", rf"\b(?:[Mm]on|[Nn]otre|[Ll]e) projet (?:s['’]appelle|se nomme|est nommé) "
                    rf"{_PHRASE}"),
        ("project", rf"\b[Jj]e travaille sur le projet {_NAME}"),
        ("date", rf"(?P<found>[^.;:!?…\n]{{0,50}}\b(?:le |ce )(?:\w+ )?\d{{1,2}}(?:er)? "
                 rf"(?:{_MONTHS_FR})(?: \d{{4}})?)"),
    ),
    "en": (
        ("name", rf"\b[Mm]y (?:first )?name(?: is|['’]s) {_SPOKEN_NAME}"),
        ("name", rf"\b(?:I am|I['’]m|I’m) called {_SPOKEN_NAME}"),
        ("trade", rf"\bI work as (?:an? )?{_PHRASE}"),
        ("trade", r"\b(?:I am|I['’]m) (?P<found>[^.,;:!?…\n]{3,60}?) "
                  r"(?:by trade|by profession|by training)"),
        ("trade", rf"\b[Mm]y (?:job|trade|profession) is (?:an? )?{_PHRASE}"),
        ("prepares", rf"\b(?:I am|I['’]m) preparing (?:for )?{_PHRASE}"),
        ("prepares", r"\bI have (?P<found>(?:an?|my) (?:job |oral |final )?"
                     r"(?:interview|exam|audition|defence|presentation)[^.,;:!?…\n]{0,60})"),
        ("project", rf"\b(?:[Mm]y|[Oo]ur|[Tt]he) project is (?:called|named) {_PHRASE}"),
        ("project", rf"\bI (?:am working|['’]m working|work) on (?:the )?project {_NAME}"),
        ("date", rf"(?P<found>[^.;:!?…\n]{{0,50}}\bon (?:the )?"
                 rf"(?:\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS_EN})|"
                 rf"(?:{_MONTHS_EN}) \d{{1,2}}(?:st|nd|rd|th)?)(?:,? \d{{4}})?)"),
    ),
}  # fmt: skip
"""How people say it, by kind: what is found is the named part. A recogniser writes no capitals and
few stops, so that a phrase ends at the latest with `_STOPS`."""
_STOPS = {
    "fr": re.compile(r"\s+(?:et|mais|donc|alors|parce|car|euh|heu|puis|je|j['’]|voilà|quoi)\b.*"),
    "en": re.compile(r"\s+(?:and|but|so|because|then|um|uh|I|which|you know)\b.*"),
}
_NO_NAMES = {
    "fr": frozenset({"pas", "comme", "donc", "euh", "heu", "comment", "plus", "le", "la", "les"}),
    "en": frozenset({"not", "um", "uh", "like", "the", "a", "so", "well"}),
}
_COMPILED = {
    language: tuple((kind, re.compile(pattern)) for kind, pattern in rules)
    for language, rules in RULES.items()
}
_WHOLE = frozenset({"date", "name"})


class Memory:
    """Finds facts at the end of a conversation."""

    def session_end(self, turns: Sequence[Said], context: Context) -> list[Fact]:
        own = [turn.text for turn in turns if turn.speaker == "learner"]
        found = list(dict.fromkeys(fact for text in own for fact in facts(text, context.language)))
        context.count("facts", len(found))
        return found


def facts(text: str, language: str) -> Iterator[Fact]:
    """What somebody says of themselves in a text."""
    for kind, pattern in _COMPILED[language]:
        for match in pattern.finditer(text):
            said = match["found"]
            if kind not in _WHOLE:
                said = _STOPS[language].sub("", said)
            said = " ".join(said.split()).strip(" '’-")[:LONGEST].strip()
            if kind == "name":
                if said.casefold() in _NO_NAMES[language]:
                    continue
                said = said[0].upper() + said[1:]
            if len(said) > 1:
                yield Fact(kind, said)


def create(options: Options) -> Memory:
    return Memory()


plugin = Plugin(
    name="conversation_memory",
    create=create,
    takes=frozenset({"session_end"}),
    languages=frozenset(RULES),
    remembers=True,
    keeps="What you say of yourself: name, trade, what you prepare, dates, projects.",
)
