"""Safety of texts: secrets, injections, prompt markup, copied sentences. Functions of texts only.

Its modules:

    secrets       what looks like a secret, in whatever form
    secret_forms  vendors' prefixes, names with a value, check digits
    injection     what asks to be obeyed
    markup        what gives a prompt its structure
    copied        what a lesson repeats
"""

from __future__ import annotations

from ace.safety.markup import defuse_markup, neutralise

__all__ = ["defuse_markup", "neutralise"]
