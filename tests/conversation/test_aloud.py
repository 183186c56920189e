"""What a voice never reads out: thoughts, calls of tools, markup, symbols (L08)."""

import random
import unicodedata
from itertools import accumulate, pairwise

import pytest

from eloquence.conversation.aloud import Aloud, spoken
from eloquence.conversation.clauses import Clauses

NOT_HEARD = (
    "<think>Il faut l'aider, vite.</think>",
    "<thinking>Hmm, [note] {1}</thinking>",
    '<reasoning effort="low">Deux choses.</reasoning>',
    '<tool_call>{"name": "note", "arguments": {"texte": "oui, non."}}</tool_call>',
    '<function_call name="f">f(1, 2)</function_call>',
    '{"name": "note", "arguments": {"a": {"b": [1, 2]}}}',
    '```json\n{"a": 1}\n```',
    "```\nprint('bonjour')\n```",
    '[TOOL_CALLS][{"name": "note", "arguments": {}}]\n',
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "</s>",
    "[INST]",
    "[/INST]",
    "(https://exemple.org)"[1:-1],
    "*sourit*",
    "[rires]",
    "<br/>",
    "😊",
    "👩🏽‍💻",
    "❤️",
    "🇫🇷",
    "1️⃣"[1:],
    "→",
    "✓",
    "~~",
    "***",
    "___",
    "#",
    "|",
    "\u200b",
    "\ufeff",
)
HEARD = (
    ("**Bonjour**", "Bonjour"),
    ("*", ""),
    ("## Bilan\n", "Bilan"),
    ("- Un point.\n", "Un point."),
    ("[le site](https://exemple.org/a_b)", "le site"),
    ("`mot`", "mot"),
    ("C’est 50 %, soit 12 €.", "C’est 50 %, soit 12 €."),
    ("« Bien ! », dit-elle…", "« Bien ! », dit-elle…"),
    ("Noël à l’île, où ?", "Noël à l’île, où ?"),
)
SYMBOLS = set("*_#`~|<>{}[]\\^")


def read(text: str, *cuts: int) -> str:
    """What a voice reads of a text that comes in pieces."""
    aloud, clauses, given = Aloud(), Clauses(), []
    edges = [0, *sorted(cuts), len(text)]
    for first, last in pairwise(edges):
        given += clauses.push(aloud.push(text[first:last]))
    given += [*clauses.push(aloud.flush()), *clauses.flush()]
    return " ".join(" ".join(spoken(clause.text) for clause in given).split())


@pytest.mark.parametrize("junk", NOT_HEARD)
def test_what_is_not_meant_for_the_ear_is_not_read(junk: str) -> None:
    assert read(f"Bonjour. {junk} Merci.") == "Bonjour. Merci."
    assert read(junk) == ""


@pytest.mark.parametrize(("written", "heard"), HEARD)
def test_what_is_meant_for_the_ear_is_read_without_its_markup(written: str, heard: str) -> None:
    assert read(written) == heard


@pytest.mark.parametrize("text", ["<think>Que dire ?", "Oui.<tool_call>{", "```py", '{"a": "'])
def test_a_part_that_is_not_closed_is_left_out_to_the_end(text: str) -> None:
    assert read(text) in ("", "Oui.")


def test_a_thought_of_which_the_beginning_was_kept_back_is_left_out() -> None:
    assert read("Il hésite</think>Prenez votre temps.", 20) == "Prenez votre temps."


def test_less_than_is_no_markup() -> None:
    assert read("Si 3 < 5, alors oui.") == "Si 3 5, alors oui."


def test_ten_thousand_mixtures_in_random_pieces_let_no_symbol_through() -> None:
    """Whatever is mixed in, and wherever it is cut, every sentence is read and nothing else."""
    chance = random.Random(8)
    sentences = ("Parlons de vous.", "C’est très bien !", "Et après ?", "Un, deux, trois.")
    for _ in range(10_000):
        parts, wanted = [], []
        for _ in range(chance.randint(1, 4)):
            if chance.random() < 0.6:
                parts.append(chance.choice(NOT_HEARD))
            sentence = chance.choice(sentences)
            parts.append(sentence)
            wanted.append(sentence)
        text, longest = " ".join(parts), chance.choice((2, 6, 60))
        cuts = [at for at in accumulate(chance.randint(1, longest) for _ in text) if at < len(text)]
        heard = read(text, *cuts)
        assert heard == " ".join(wanted), text
        assert not SYMBOLS & set(heard)
        assert not any(unicodedata.category(one) in ("So", "Cf", "Co", "Cn") for one in heard)


def test_ten_thousand_lines_of_noise_let_no_symbol_through() -> None:
    chance = random.Random(88)
    alphabet = "abé ,.!?\n" + "".join(sorted(SYMBOLS)) + "😊→\u200d\u200b\ue000<think></think>```{}"
    for _ in range(10_000):
        text = "".join(chance.choice(alphabet) for _ in range(chance.randint(0, 40)))
        heard = read(text, len(text) // 2)
        assert not SYMBOLS & set(heard)
        assert all(one.isspace() or unicodedata.category(one)[0] in "LNP" for one in heard)
