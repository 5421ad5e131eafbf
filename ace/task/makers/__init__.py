"""Makers of task folders: published benchmarks, whose data stays where it is, and generators with a seed.

    catalog.toml     what there is: name, maker, data, source, licence, known defects
    catalog.py       that file as values
    add_task.py      makes a folder: rows are checked, odd ones left out by name, nothing half-written
    draft.py         what a maker returns, and the options that it may take
    source_data.py   reads the files of a data folder
    make_*.py        one maker a file
    fresh_*, sql_*   the generators of questions about databases, and of rules
    office/          the generator of an office for agents with tools

A new one is a function of a `SourceData` and `MakeOptions` that returns a `TaskDraft`, and a table in
catalog.toml.
"""
