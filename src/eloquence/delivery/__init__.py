"""How speech is delivered: pure measures of samples and timed words.

Nothing here does input or output, reads a clock or imports a framework. Times are seconds as
`float`, counted from the start of the recording or of the conversation; samples are mono
`float32` in -1..1 with their rate in hertz.
"""
