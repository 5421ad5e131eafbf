"""Records and statistics of runs: metrics, cost, effects of bullets, and the report of a run.

Its modules:

    records    what the store returns beside playbooks
    answer_feedback  what somebody says of an answer
    steps      the journal of a run as values
    proven_lessons  lessons as they are proven
    time_left  how long a run will still take
    report     the result of a run
    run_text   and as text
    trajectory_text  one attempt as text
    score      how many answers were right
    metrics    right and wrong answers: intervals, tests, changes between scorings
    e_process  a test of two versions that may be looked at after every answer
    paired     statistics of two methods on the same samples
    study_cells  methods run with several seeds on the same samples, as values
    study_scores  what such a study says
    study_report  and as tables, rows and text
    run_table  runs and bullets as tables for notebooks
    text_tables  tables as text, Markdown, CSV and HTML
    drift      whether answers got worse, and since when
    cost       what calls took
    causes     why attempts failed
    setbacks   feedback that could not be learned from
    seeds      seeds that do not depend on time or threads
"""
