"""The sound of the page: rates, aliases, what was heard and what was not."""

import math

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

FRAMES = """async ([rate, hertz]) => {
  const { Framing } = await import("/audio/worklet.js");
  const frames = [];
  const framing = new Framing(rate, (frame) => frames.push([...frame]));
  for (let at = 0; at < rate; at += 128) {
    const sine = (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * (at + i)) / rate);
    framing.push(Float32Array.from({ length: 128 }, sine));
  }
  return frames;
}"""

PLAY = """async ([rate, steps]) => {
  const { Playback } = await import("/audio/worklet.js");
  const reports = [];
  const playback = new Playback(rate, (one) => {
    if (one.kind !== "level") reports.push(one);
  });
  const block = new Float32Array(128);
  let last = 0;
  let jump = 0;
  let energy = 0;
  for (const [what, ...values] of steps) {
    if (what === "render") {
      for (let left = values[0] * rate; left > 0; left -= 128) {
        playback.render(block);
        for (const value of block) {
          jump = Math.max(jump, Math.abs(value - last));
          energy += value * value;
          last = value;
        }
      }
    } else if (what === "hold") playback.paused = values[0];
    else if (what === "tone") {
      const sine = (_, i) => 16000 * Math.sin((2 * Math.PI * 330 * i) / 24000);
      playback.add(values[0], Int16Array.from({ length: values[1] * 24000 }, sine));
    } else playback[what](...values);
  }
  return { reports, jump, energy: energy / rate };
}"""


@pytest.fixture
def lab(page: Page) -> Page:
    page.goto("")
    return page


def level(frames: list[list[int]]) -> float:
    """Decibels relative to a sine at half of full scale, without the first 100 ms."""
    samples = [sample / 32767 for frame in frames[5:] for sample in frame]
    power = sum(sample * sample for sample in samples) / len(samples)
    return 10 * math.log10(max(power, 1e-12) / 0.125)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_a_microphone_of_any_rate_gives_50_frames_of_20_ms_a_second(lab: Page, rate: int) -> None:
    frames = lab.evaluate(FRAMES, [rate, 440])
    assert 49 <= len(frames) <= 51
    assert {len(frame) for frame in frames} == {320}
    assert abs(level(frames)) < 0.1


@pytest.mark.parametrize("rate", [44100, 48000])
def test_what_16_khz_cannot_hold_does_not_come_back_as_another_pitch(lab: Page, rate: int) -> None:
    assert level(lab.evaluate(FRAMES, [rate, 9000])) < -70
    assert abs(level(lab.evaluate(FRAMES, [rate, 6000]))) < 0.5


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_segment_is_played_to_its_end_and_says_how_long_it_was(lab: Page, rate: int) -> None:
    got = lab.evaluate(PLAY, [rate, [["tone", 3, 1.0], ["finish", 3], ["render", 1.5]]])
    kinds = [report["kind"] for report in got["reports"]]
    assert kinds == ["started", "progress", "progress", "progress", "ended"]
    assert got["reports"][-1] == {"kind": "ended", "segment": 3, "position": 1}
    assert got["energy"] == pytest.approx(0.119, rel=0.05)


def test_cutting_is_told_to_the_sample_and_does_not_click(lab: Page) -> None:
    steps = [["tone", 0, 5.0], ["render", 0.4], ["clear", 0], ["render", 0.1], ["clear", 0]]
    got = lab.evaluate(PLAY, [48000, steps])
    first, second = (report for report in got["reports"] if report["kind"] == "cleared")
    assert first["position"] == pytest.approx(0.408, abs=0.005)
    assert second == first, "a second clear is answered alike"
    assert got["jump"] < 0.03, "330 Hz at half scale moves by 0.021 from sample to sample"


def test_a_segment_cut_before_it_began_was_heard_for_zero_seconds(lab: Page) -> None:
    steps = [["open", 4], ["clear", 4], ["tone", 4, 1.0], ["render", 0.5]]
    got = lab.evaluate(PLAY, [48000, steps])
    assert got["reports"] == [{"kind": "cleared", "segment": 4, "position": 0}]
    assert got["energy"] == 0


def test_holding_stops_the_place_and_going_on_takes_it_up(lab: Page) -> None:
    steps = [
        ["tone", 0, 1.0], ["finish", 0], ["render", 0.3], ["hold", True], ["render", 2],
        ["hold", False], ["render", 1],
    ]  # fmt: skip
    got = lab.evaluate(PLAY, [44100, steps])
    assert [one for one in got["reports"] if one["kind"] == "ended"] == [
        {"kind": "ended", "segment": 0, "position": 1}
    ]
    assert got["energy"] == pytest.approx(0.119, rel=0.05), "every sample once, none twice"
    assert got["jump"] < 0.03


def test_sound_that_comes_late_makes_a_gap_and_nothing_is_lost(lab: Page) -> None:
    steps = [
        ["tone", 0, 0.2], ["render", 0.6], ["tone", 0, 0.3], ["finish", 0], ["render", 0.6],
    ]  # fmt: skip
    got = lab.evaluate(PLAY, [48000, steps])
    assert got["reports"][-1] == {"kind": "ended", "segment": 0, "position": 0.5}
    assert got["jump"] < 0.05


def test_an_empty_segment_ends_at_once(lab: Page) -> None:
    got = lab.evaluate(PLAY, [48000, [["open", 1], ["finish", 1], ["render", 0.02]]])
    assert [report["kind"] for report in got["reports"]] == ["started", "ended"]


def test_a_minute_may_wait_and_what_is_more_is_said_to_be_lost(lab: Page) -> None:
    steps = [["tone", 0, 59.0], ["tone", 0, 2.0], ["render", 0.02]]
    got = lab.evaluate(PLAY, [48000, steps])
    assert got["reports"][0] == {"kind": "overflow", "seconds": 1}


def test_segments_play_one_after_the_other(lab: Page) -> None:
    steps = [
        ["tone", 0, 0.3], ["finish", 0], ["tone", 1, 0.3], ["finish", 1], ["render", 1],
    ]  # fmt: skip
    got = lab.evaluate(PLAY, [48000, steps])
    told = [(one["kind"], one["segment"]) for one in got["reports"] if one["kind"] != "progress"]
    assert told == [("started", 0), ("ended", 0), ("started", 1), ("ended", 1)]
