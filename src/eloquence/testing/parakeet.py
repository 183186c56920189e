"""A Parakeet model that hears one sentence: real to onnx-asr in every way, made on the spot and a
few kilobytes large, so that its whole path (features, encoder, decoder, times) runs where no model
can be downloaded."""

import json
from pathlib import Path

from eloquence.testing.networks import floats, ints, network, node

TOKENS = ("▁Bon", "jour", ",", "▁je", "▁suis", "▁Mar", "ie", ".")
SENTENCE = "Bonjour, je suis Marie."
STEP = 0.08
"""Seconds of one step of the encoder."""
STEPS_PER_TOKEN = 2
_STEPS = 5
"""How far the decoder may go on at once: 0 to 4 steps."""
_BINS = 128


def write_listening_model(folder: Path, name: str = "parakeet-tdt-0.6b-v3-int8") -> Path:
    """Writes the model's files into `folder/name`, as a download would; that folder.

    It hears the tokens in order, one for each 0.16 s that is louder than the sound is in the mean,
    and nothing where it is quiet.
    """
    place = folder / name
    place.mkdir(parents=True)
    (place / "encoder-model.int8.onnx").write_bytes(_encoder())
    (place / "decoder_joint-model.int8.onnx").write_bytes(_decoder())
    vocabulary = [*TOKENS, "<blk>"]
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(vocabulary))
    (place / "vocab.txt").write_text(lines, "utf-8")
    config = {"model_type": "nemo-conformer-tdt", "features_size": _BINS, "subsampling_factor": 8}
    (place / "config.json").write_text(json.dumps(config), "utf-8")
    return place


def _encoder() -> bytes:
    """The loudest feature, in the mean of 8 frames."""
    return network(
        nodes=[
            node("ReduceMax", ["audio_signal"], "loudness", axes=[1], keepdims=1),
            node("AveragePool", ["loudness"], "outputs", kernel_shape=[8], strides=[8]),
            node("Div", ["length", "eight"], "encoded_lengths"),
        ],
        constants={"eight": ints(8)},
        inputs={
            "audio_signal": ("float", ("batch", _BINS, "frames")),
            "length": ("int64", ("batch",)),
        },
        outputs={
            "outputs": ("float", ("batch", 1, "steps")),
            "encoded_lengths": ("int64", ("batch",)),
        },
    )


def _decoder() -> bytes:
    """Where it is loud, the token after the one before; else none."""
    blank = len(TOKENS)
    rows = [*range(1, blank), blank, 0]  # after each token the next one, after the last none
    table = [value for token in rows for value in _logits(token)]
    state: tuple[int, int, int] = (2, 1, 4)
    width = blank + 1 + _STEPS
    return network(
        nodes=[
            node("Gather", ["table", "targets"], "next"),
            node("Greater", ["encoder_outputs", "threshold"], "loud"),
            node("Where", ["loud", "next", "none"], "outputs"),
            node("Identity", ["input_states_1"], "output_states_1"),
            node("Identity", ["input_states_2"], "output_states_2"),
        ],
        constants={
            "table": floats(*table, shape=(blank + 1, width)),
            "none": floats(*_logits(blank), shape=(1, 1, width)),
            "threshold": floats(0.1),
        },
        inputs={
            "encoder_outputs": ("float", (1, 1, 1)),
            "targets": ("int32", (1, 1)),
            "target_length": ("int32", (1,)),
            "input_states_1": ("float", state),
            "input_states_2": ("float", state),
        },
        outputs={
            "outputs": ("float", (1, 1, width)),
            "output_states_1": ("float", state),
            "output_states_2": ("float", state),
        },
    )


def _logits(token: int) -> list[float]:
    """Sure of that token and of how far to go on after it."""
    blank = len(TOKENS)
    step = 1 if token == blank else STEPS_PER_TOKEN
    return [
        *(10.0 if one == token else 0.0 for one in range(blank + 1)),
        *(10.0 if one == step else 0.0 for one in range(_STEPS)),
    ]
