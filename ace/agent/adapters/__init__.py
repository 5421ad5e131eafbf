"""Adapters that give the playbook to the agents of other frameworks, and bring their outcomes back.

Each imports its framework on first use, and knows of learning only the protocols of `ace.task.agent_episode`.
"""
