"""What coding agents call at the start and the end of a session, and how they are told to.

`coding_agent` says which agents there are, `settings_text` edits their settings, `session` gives a session
its lessons and keeps notes of it, and `recorded_sessions` turns its transcript into episodes.
"""
