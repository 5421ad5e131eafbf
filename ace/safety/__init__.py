"""What protects: secrets, injections, prompt markup, copied text. Functions of texts only."""

from __future__ import annotations

from ace.safety.markup import defused, neutralise

__all__ = ["defused", "neutralise"]
