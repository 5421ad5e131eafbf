"""Adapters that give the playbook to the agents of other frameworks, and bring their outcomes back.

A module has the name of its framework and needs it; this one needs none. They know of learning only the
protocols of `ace.task.agent_episode`.
"""

from __future__ import annotations

from ace.agent.adapters.agent_run import FixedContext, Judge

__all__ = ["FixedContext", "Judge"]
