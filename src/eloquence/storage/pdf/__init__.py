"""A report as a document to print or to hand on: A4, vectors and text, no picture."""

from eloquence.storage.pdf.document import document

__all__ = ["document"]
