"""The learner's sound on the session's clock."""

import numpy as np

from eloquence.conversation.tape import RATE, Tape

FRAME = RATE // 50


def taped(tape: Tape, frames: range, *, late: float = 0.0) -> None:
    """Frames of 20 ms that hold their own number, arriving so many seconds late."""
    for number in frames:
        tape.append(np.full(FRAME, number, "<i2").tobytes(), (number + 1) / 50 + late)


def numbers(tape: Tape, start: float, end: float) -> list[int]:
    """What each frame of a stretch holds."""
    read = tape.read(start, end)
    assert read.dtype == np.float32
    assert len(read) % FRAME == 0
    return [round(float(sample) * 32768) for sample in read[::FRAME]]


def test_a_stretch_is_read_as_it_came_and_what_is_beyond_the_end_is_not_there() -> None:
    tape = Tape(0.0)
    taped(tape, range(1, 11))
    assert tape.end == 0.2
    assert numbers(tape, 0.04, 0.1) == [3, 4, 5]
    assert numbers(tape, 0.16, 9.0) == [9, 10]


def test_frames_that_come_late_follow_each_other_and_a_real_gap_is_silence() -> None:
    tape = Tape(0.0)
    taped(tape, range(5))
    taped(tape, range(5, 10), late=0.3)
    assert numbers(tape, 0.0, 0.2) == list(range(10))
    taped(tape, range(50, 55))
    assert numbers(tape, 0.18, 1.04) == [9, *[0] * 40, 50, 51]


def test_what_was_forgotten_is_silence_and_what_follows_keeps_its_place() -> None:
    tape = Tape(0.0)
    taped(tape, range(10))
    taped(tape, range(50, 55))
    tape.forget(0.06)
    assert numbers(tape, 0.0, 0.2) == [0, 0, 0, 3, 4, 5, 6, 7, 8, 9]
    tape.forget(0.5)
    assert numbers(tape, 0.98, 1.06) == [0, 50, 51, 52]
    tape.forget(99.0)
    assert numbers(tape, 1.0, 1.04) == [0, 0]
    taped(tape, range(55, 57))
    assert numbers(tape, 1.1, 1.14) == [55, 56]


def test_a_long_speech_is_kept_in_one_piece_so_that_reading_it_holds_up_nobody() -> None:
    tape = Tape(0.0)
    taped(tape, range(15_000))
    assert len(tape._runs) == 1
