"""Integrity of a playbook file: seals, verification, backup, redaction, forgetting.

Its modules:

    seals    how many rows a table has, and the sum of their checksums
    verify   the file held against itself
    foreign  what other programs put into the schema
    backup   copies, and putting one back
    redact   a text blacked out in every record
    forget   memories deleted for good
    prune    calls and attempts of old runs deleted
"""
