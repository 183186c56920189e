"""What every character may need to say or to recognise, whatever the exercise."""

from typing import Annotated

from pydantic import Field

from eloquence.coaching.character import Model


class Lines(Model):
    """Lines of one language, from `content/<language>/lines.yaml`.

    `silence` is said, one after the other, when the learner stays silent; `no_answer` when the
    language model fails; `backchannels` are the words with which a listener says "go on": alone,
    they do not interrupt the character.
    """

    silence: Annotated[tuple[str, ...], Field(min_length=1)]
    no_answer: Annotated[tuple[str, ...], Field(min_length=1)]
    backchannels: frozenset[str]
