"""A task folder from rows that somebody has: a table of questions and answers, or a few that were typed.

Its modules:

    row_table         rows of a file as they were read, a sample of them where there are very many
    read_rows         which reader a file needs, and the one for JSON
    delimited         CSV and its relatives: encoding, separator, header, rows of the wrong length
    other_encodings   tells the encoding of what is not UTF-8
    spreadsheets      sheets of Excel and OpenDocument, by the extra `spreadsheets`
    column_roles      which column is what, and why it is thought so
    choices           the options of a multiple-choice question, and which one is right
    scoring_proposal  scorer, extraction and instructions that fit the answers
    split_rows        train, val and test from a seed, equal questions in one of them
    task_toml         task.toml with comments for whoever edits it
    start_task        all of it, checked before the folder gets its name
"""
