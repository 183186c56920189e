"""Has the coach say « pour cent », or "percent", where its text has a sign: the shortest plugin
that is of use, to begin one's own from."""

# All that a plugin needs is here; nothing else of Eloquence is for plugins.
from eloquence.plugins import Context, Options, Plugin

# A plugin may have files and tables of its own. This one has two words.
WORDS = {"fr": "pour cent", "en": "percent"}


class Example:
    """What has the hooks. One is made for each conversation, in a process of its own."""

    # Called with each clause of the coach's answer, before it is spoken.
    def coach_turn(self, text: str, context: Context) -> str | None:
        if "%" not in text:
            return None  # the text stays as it is
        said = text.replace("%", f" {WORDS[context.language]}")
        context.count("signs", text.count("%"))  # a figure for the operator: a number, no words
        return " ".join(said.split())


# `create` is given the options that the operator has set; this plugin has none.
def create(options: Options) -> Example:
    return Example()


# What the entry point names: `example = "eloquence.plugins.example:plugin"`.
plugin = Plugin(
    name="example",
    create=create,
    changes=frozenset({"coach_turn"}),  # its answer replaces the text, so it is waited for
    languages=frozenset(WORDS),  # in any other language it is not called
)
