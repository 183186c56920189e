"""A stage context as the engine makes one, for tests of a single stage."""

from eloquence.coaching.character import Character, Language, Voice
from eloquence.coaching.exercise import Criteria, Exercise, Prompts, Scenario, Script, Step
from eloquence.conversation.stages import Resources, StageContext


def stage_context(
    language: Language = "fr", *, resources: Resources, voice: Voice | None = None
) -> StageContext:
    """A context around a small exercise with Marie. The caller closes the resources."""
    scenario = Scenario(
        id="scene",
        title="Scène",
        prompts=Prompts(system="Tu es Marie.", initial="Bonjour !"),
        script=Script(steps=(Step(id="opening", ask=("Bonjour !",)),), close=("Merci.",)),
    )
    exercise = Exercise(
        id="exercise",
        title="Exercice",
        description="Parler.",
        character="marie_coach",
        scenarios=(scenario,),
        criteria=Criteria(dimensions=("fluency",)),
        difficulty="beginner",
        duration_minutes=5,
        language=language,
    )
    character = Character(
        id="marie_coach",
        name="Marie",
        description="Coach",
        voice=voice or Voice(),
        prompt="Tu es Marie.",
        language=language,
    )
    return StageContext(
        language=language,
        exercise=exercise,
        scenario=scenario,
        character=character,
        resources=resources,
    )
