"""`semblance edit --say`: a spoken wish."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.cli import run
from apps.speech import wishes
from audio.speech.types import Heard

VOICE = Path(__file__).parents[2] / "audio" / "speech" / "no_glasses.ogg"


class _Hears:
    """Hears one thing in everything."""

    most_doubt = 0.2

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, sound: object) -> Heard:
        return Heard(self.text, 0.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("undo", "needs an edit made before"), ("the invoice", "no wish was understood")],
)
def test_what_cannot_be_done_is_said(
    text: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(wishes, "speech_reader", lambda: _Hears(text))
    given = ["edit", "me.jpg", "--out", str(tmp_path / "a.png"), "--say", str(VOICE)]
    assert run(given) != 0
    assert said in capsys.readouterr().err


def test_words_and_a_voice_are_not_given_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["edit", "me.jpg", "--out", str(tmp_path / "a.png"), "--say", str(VOICE)]
    assert run([*given, "--text", "a smile"]) != 0
    assert "not both" in capsys.readouterr().err
