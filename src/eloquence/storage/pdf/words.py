"""What the document says by itself, in each language. All else comes from the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from eloquence.coaching.character import Language

MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Words:
    """One language: its sentences, and how it writes figures and dates."""

    language: Language
    decimal: str
    months: tuple[str, ...]
    texts: Mapping[str, str]

    def __call__(self, key: str, **places: object) -> str:
        return self.texts[key].format(**places)

    def number(self, value: float) -> str:
        """Two decimals under ten, one under a hundred, none above; no zero at the end."""
        decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
        text = f"{value:.{decimals}f}"
        if decimals:
            text = text.rstrip("0").rstrip(".")
        if text in {"-0", ""}:
            text = "0"
        return text.replace("-", MINUS).replace(".", self.decimal)

    def figure(self, value: float, *, percent: bool) -> str:
        """A measure's value, or a share of a hundred."""
        return self.share(value) if percent else self.number(value)

    def score(self, share: float) -> str:
        """A score out of a hundred."""
        return str(round(100 * share))

    def stage(self, provider: str) -> str:
        """Who served a stage; what is no product has a name in plain words."""
        return self.texts.get(f"stage_{provider}", provider)

    def share(self, share: float) -> str:
        return self("percent", value=round(100 * share))

    def date(self, posix: float) -> str:
        """The day and the minute, in universal time: a document is the same everywhere."""
        at = datetime.fromtimestamp(posix, UTC)
        month = self.months[at.month - 1]
        return self("date", day=at.day, month=month, year=at.year, time=f"{at:%H:%M}")

    def length(self, seconds: float) -> str:
        minutes, rest = divmod(round(seconds), 60)
        kind = "seconds" if not minutes else "minutes" if rest else "whole_minutes"
        return self(kind, minutes=minutes, seconds=rest)


def clock(seconds: float) -> str:
    """A moment on the recording: 0:42."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02d}"


_FRENCH_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
    "octobre", "novembre", "décembre",
)  # fmt: skip
_ENGLISH_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
FRENCH = Words(
    language="fr",
    decimal=",",
    months=_FRENCH_MONTHS,
    texts={
        "report": "Bilan de prise de parole",
        "percent": "{value}\u00a0%",
        "date": "{day} {month} {year}, {time} UTC",
        "minutes": "{minutes}\u00a0min {seconds:02d}\u00a0s",
        "whole_minutes": "{minutes}\u00a0min",
        "seconds": "{seconds}\u00a0s",
        "page": "Page {page} sur {pages}",
        "words": "{n}\u00a0mots",
        "speech": "{length} de parole",
        "exam": "mode examen",
        "strengths": "Points forts",
        "no_strength": "Rien ne ressort encore\u00a0: il faut un peu plus de parole.",
        "priority": "Une chose à changer",
        "no_priority": "Rien ne demande d’être changé en premier.",
        "drill": "Exercice ({length})\u00a0: {title}",
        "success": "Réussi si",
        "rewrite": "Une de vos phrases, autrement",
        "before": "Vous avez dit",
        "after": "Essayez",
        "quote": "«\u00a0{text}\u00a0»",
        "next": "Et maintenant",
        "goal": "L’objectif de cette fois",
        "proposal": "L’objectif pour la prochaine fois",
        "plan": "Votre plan",
        "worked": "Ce que vous avez noté avant ce bilan",
        "appointment": "Quand revenir",
        "comparison": "Par rapport à la prise d’avant",
        "scores": "Les scores",
        "scores_help": "Un score est une fourchette\u00a0: la vraie valeur s’y trouve quatre fois "
        "sur cinq. Le trait marque la valeur la plus probable, le pointillé le seuil de {mark}.",
        "legend_measured": "mesuré sur le son et les mots",
        "legend_judged": "apprécié par un modèle qui a lu le texte",
        "measured": "mesuré {score}",
        "judged": "apprécié {score} (pèse {share})",
        "range": "entre {low} et {high} sur 100",
        "provisional": "provisoire",
        "state_pass": "✓ Atteint",
        "state_near": "≈ Tout près",
        "state_not_yet": "→ Pas encore",
        "state_not_scored": "– Non évalué",
        "overall": "Ensemble\u00a0: {low} à {high} sur 100. Moyenne pondérée des dimensions de cet "
        "exercice\u00a0; elle en dit moins que ce qui précède.",
        "measures": "Les mesures",
        "measure": "Mesure",
        "value": "Valeur",
        "target": "Zone visée",
        "where": "Où vous êtes",
        "between": "{low} à {high}",
        "at_least": "au moins {low}",
        "at_most": "au plus {high}",
        "missing": "N’a pas pu être mesuré",
        "content": "Le contenu, critère par critère",
        "unjudged": "Le contenu",
        "level": "Niveau",
        "criterion": "Critère",
        "quotes": "Vos mots",
        "lacking": "Manque\u00a0: {text}",
        "by_measures": "Suit les mesures\u00a0: aucun modèle ne l’a lu.",
        "hints": "Indices repérés par des mots, sans modèle\u00a0: aucun score n’en dépend.",
        "pictures": "Le fil de la conversation",
        "band": "zone visée",
        "timeline": "Qui parle, et quand",
        "timeline_marks": "▼ repère   ▲ bon passage",
        "transcript": "Ce qui a été dit",
        "warm_up": "Échauffement\u00a0: ces tours ne comptent dans aucun score.",
        "exercise": "L’exercice",
        "spoke": "a parlé {length}",
        "interrupted": "interrompu",
        "moments": "Les repères",
        "moment": "Repère",
        "effect": "+{n} sans lui",
        "dismissed": "écarté par vous",
        "more_moments": "Et {n} autres, dans le tableau des repères (CSV).",
        "method": "Comment ce bilan a été fait",
        "stages": "Reconnaissance des mots\u00a0: {stt}. Répartie\u00a0: {llm}. Voix\u00a0: {tts}.",
        "stage_none": "aucune, à l’oreille",
        "stage_script": "le fil de l’exercice",
        "snr": "Votre voix était {n}\u00a0dB au-dessus du bruit.",
        "clipping": "{share} du son sature.",
        "by_ear": "Les mots n’ont pas été reconnus\u00a0: ce bilan repose sur le son seul.",
        "rubric": "Grille «\u00a0{title}\u00a0».",
        "judge": "Modèle {model} ({provider}), consigne n°\u00a0{prompt}\u00a0; il n’a entendu ni "
        "votre voix ni votre nom, et doit citer vos mots.",
        "spread": "Écart moyen entre ses lectures\u00a0: {share} de l’échelle.",
        "sources": "Normes",
        "measured_help": "Ce qui est mesuré l’est toujours de la même façon\u00a0: le même "
        "enregistrement donne le même score.",
        "ai": "Vous avez parlé avec une IA. Aucune émotion n’est déduite de votre voix.",
        "learner": "Zones visées d’une personne qui apprend la langue.",
        "speech_difference": "À votre demande, ni le rythme, ni la hauteur de la voix, ni les "
        "hésitations ne comptent dans les scores.",
        "child": "Mesures seules, sans zone visée ni score.",
        "incomplete": "La conversation s’est arrêtée avant la fin\u00a0; le bilan porte sur ce qui "
        "avait été dit.",
    },
)
ENGLISH = Words(
    language="en",
    decimal=".",
    months=_ENGLISH_MONTHS,
    texts={
        "report": "Speaking report",
        "percent": "{value}%",
        "date": "{day} {month} {year}, {time} UTC",
        "minutes": "{minutes}\u00a0min {seconds:02d}\u00a0s",
        "whole_minutes": "{minutes}\u00a0min",
        "seconds": "{seconds}\u00a0s",
        "page": "Page {page} of {pages}",
        "words": "{n} words",
        "speech": "{length} of speech",
        "exam": "exam mode",
        "strengths": "Strengths",
        "no_strength": "Nothing stands out yet: a little more speech is needed.",
        "priority": "One thing to change",
        "no_priority": "Nothing asks to be changed first.",
        "drill": "Exercise ({length}): {title}",
        "success": "It worked if",
        "rewrite": "One of your sentences, another way",
        "before": "You said",
        "after": "Try",
        "quote": "“{text}”",
        "next": "What comes next",
        "goal": "This time’s goal",
        "proposal": "The goal for next time",
        "plan": "Your plan",
        "worked": "What you noted before this report",
        "appointment": "When to come back",
        "comparison": "Compared with the take before",
        "scores": "The scores",
        "scores_help": "A score is a range: the true value lies in it four times out of five. The "
        "stroke marks the most likely value, the dotted line the pass mark of {mark}.",
        "legend_measured": "measured on the sound and the words",
        "legend_judged": "judged by a model that read the text",
        "measured": "measured {score}",
        "judged": "judged {score} (weighs {share})",
        "range": "between {low} and {high} out of 100",
        "provisional": "provisional",
        "state_pass": "✓ Reached",
        "state_near": "≈ Very close",
        "state_not_yet": "→ Not yet",
        "state_not_scored": "– Not scored",
        "overall": "Overall: {low} to {high} out of 100. The weighted mean of this exercise’s "
        "dimensions; it says less than what is above.",
        "measures": "The measures",
        "measure": "Measure",
        "value": "Value",
        "target": "Target",
        "where": "Where you are",
        "between": "{low} to {high}",
        "at_least": "at least {low}",
        "at_most": "at most {high}",
        "missing": "Could not be measured",
        "content": "The content, criterion by criterion",
        "unjudged": "The content",
        "level": "Level",
        "criterion": "Criterion",
        "quotes": "Your words",
        "lacking": "Missing: {text}",
        "by_measures": "Follows the measures: no model read it.",
        "hints": "Hints found by words, without a model: no score depends on them.",
        "pictures": "How the conversation went",
        "band": "target",
        "timeline": "Who speaks, and when",
        "timeline_marks": "▼ mark   ▲ good moment",
        "transcript": "What was said",
        "warm_up": "Warm-up: these turns count for no score.",
        "exercise": "The exercise",
        "spoke": "spoke for {length}",
        "interrupted": "interrupted",
        "moments": "The marks",
        "moment": "Mark",
        "effect": "+{n} without it",
        "dismissed": "dismissed by you",
        "more_moments": "And {n} more, in the table of marks (CSV).",
        "method": "How this report was made",
        "stages": "Recognition of words: {stt}. Replies: {llm}. Voice: {tts}.",
        "stage_none": "none, by ear",
        "stage_script": "the exercise’s own thread",
        "snr": "Your voice was {n}\u00a0dB above the noise.",
        "clipping": "{share} of the sound is clipped.",
        "by_ear": "The words were not recognised: this report rests on the sound alone.",
        "rubric": "Rubric “{title}”.",
        "judge": "Model {model} ({provider}), prompt no. {prompt}; it heard neither your voice nor "
        "your name, and must quote your words.",
        "spread": "Mean distance between its readings: {share} of the scale.",
        "sources": "Norms",
        "measured_help": "What is measured is always measured the same way: the same recording "
        "gives the same score.",
        "ai": "You talked with an AI. No emotion is inferred from your voice.",
        "learner": "Targets for somebody who learns the language.",
        "speech_difference": "At your request, neither timing, nor pitch, nor hesitations count in "
        "the scores.",
        "child": "Measures only, with no target and no score.",
        "incomplete": "The conversation stopped before its end; the report is about what had been "
        "said.",
    },
)
WORDS: Mapping[Language, Words] = {"fr": FRENCH, "en": ENGLISH}
