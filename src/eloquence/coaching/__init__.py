"""What is practised, with whom, and how it is judged.

Pure: no input or output, no clock, no framework.
"""
