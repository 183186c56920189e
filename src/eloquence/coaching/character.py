"""Characters: the persons one talks with (CHR-01)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
Language = Literal["fr", "en"]
Share = Annotated[float, Field(ge=0, le=1)]

DEFAULT_CHARACTER = "marie_coach"
"""The character whose prompt serves an unknown id (CHR-07)."""


class Model(BaseModel):
    """A value of the domain: frozen, and with no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PersonalityTraits(Model):
    """How a character comes across, each 0..1 (CHR-02)."""

    warmth: Share = 0.7
    formality: Share = 0.5
    directness: Share = 0.5
    summary: str = ""
    """One phrase for people, e.g. « Coach bienveillante et encourageante » (CHR-03)."""


class Voice(Model):
    """How a character sounds: `kind` picks a voice of that sort from whichever provider speaks,
    `names` pins a voice per provider, `pace` scales speed (1 = the provider's humane default)."""

    kind: Literal["feminine", "masculine"] = "feminine"
    names: dict[str, str] = {}
    pace: Annotated[float, Field(ge=0.5, le=1.5)] = 1.0


class Character(Model):
    """A person to talk with, in one language. `prompt` instructs a language model to play it."""

    id: Identifier
    name: str
    description: str
    avatar: str = ""
    """An emoji, or the name of a picture that the page ships."""
    role: str = ""
    """What the person is in the scene, e.g. « Recruteur professionnel » (CHR-04)."""
    personality: PersonalityTraits = PersonalityTraits()
    expertise: tuple[str, ...] = ()
    style: str = ""
    """How the person talks, e.g. « Naturelle et adaptative » (CHR-03)."""
    interaction: str = ""
    """e.g. « Questions et feedback » (CHR-04)."""
    voice: Voice = Voice()
    prompt: str
    language: Language
