"""The flow library's errors. A docstring is the default message; `error_id` is stable for machines."""

from __future__ import annotations


class IvrError(Exception):
    """A call flow or its prompts cannot be used."""

    error_id = "ivr_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class FlowError(IvrError):
    """A flow file cannot be read. The message names file and line, and the mend."""

    error_id = "flow_error"


class PromptError(IvrError):
    """The prompt catalogue cannot be used. The message names file and line, and the mend."""

    error_id = "prompt_error"


class SynthesisError(IvrError):
    """A prompt could not be spoken."""

    error_id = "synthesis_error"


class RecordingError(SynthesisError):
    """A recording cannot be put on the line."""

    error_id = "recording_error"


class CompileError(IvrError):
    """A flow cannot be compiled for this backend."""

    error_id = "compile_error"


class TokenError(IvrError):
    """The state in this web address was not sealed by us for this call."""

    error_id = "token_error"


class FormError(IvrError):
    """This is not a form that Twilio sends at this place."""

    error_id = "form_error"


class WordError(IvrError):
    """A word of a script of keys means nothing."""

    error_id = "word_error"


class DrawError(IvrError):
    """A flow could not be drawn."""

    error_id = "draw_error"
