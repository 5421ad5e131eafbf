-- The tables of a playbook on a server: those of a file (docs/schema.md), column by column, and three things
-- that only a server needs: the format and the writers, and triggers that keep history from being rewritten.
-- Texts are compared by their bytes, as SQLite does. Statements end with ";" at the end of a line. JSON may
-- hold half of a surrogate pair, or a NUL, as its escape: `as_json` reads it as the sign for what is no text.

CREATE TABLE about (                -- one row
    application TEXT NOT NULL,         -- tells a playbook from other schemas
    version BIGINT NOT NULL            -- of the schema, the same number as a file's
);
CREATE TABLE writers (              -- one row for each connection that writes
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL,            -- its last transaction: where a connection was lost, it tells what was kept
    seen TIMESTAMPTZ NOT NULL
);
CREATE FUNCTION as_json(words TEXT) RETURNS json LANGUAGE sql IMMUTABLE AS $$
SELECT CAST(regexp_replace(words, '\\u(d[89a-f][0-9a-f]{2}|0000)', '\\ufffd', 'gi') AS json)
$$;
CREATE FUNCTION json_valid(words TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM as_json(words);
    RETURN TRUE;
EXCEPTION WHEN data_exception OR untranslatable_character THEN
    RETURN FALSE;
END
$$;

CREATE TABLE runs (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,                -- learn, online or eval
    task TEXT NOT NULL,
    config TEXT NOT NULL,              -- JSON
    status TEXT NOT NULL,              -- running, done, failed, capped or interrupted
    started TEXT NOT NULL,             -- times are ISO 8601, UTC
    ended TEXT,
    report TEXT,                       -- JSON
    checksum TEXT NOT NULL DEFAULT ''
);
CREATE TABLE branches (
    name TEXT PRIMARY KEY,
    version BIGINT NOT NULL,           -- its newest
    base BIGINT,                       -- where it left another branch; NULL for main
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE versions (
    number BIGINT PRIMARY KEY,         -- 0 is the empty playbook; counts over all branches
    parent BIGINT REFERENCES versions DEFERRABLE,
    merged BIGINT REFERENCES versions DEFERRABLE,  -- the version of another branch that it took in
    branch TEXT NOT NULL REFERENCES branches DEFERRABLE,
    hash TEXT NOT NULL,                -- of both parents' hashes, the operations, author and reason
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    run BIGINT REFERENCES runs DEFERRABLE,
    created TEXT NOT NULL,
    next_position BIGINT NOT NULL,     -- where the next bullet appends
    checksum TEXT NOT NULL             -- of the row's other values, here and in other tables
);
ALTER TABLE branches ADD FOREIGN KEY (version) REFERENCES versions DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE branches ADD FOREIGN KEY (base) REFERENCES versions DEFERRABLE;
CREATE TABLE operations (            -- what each version changed, in order
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    position BIGINT NOT NULL,
    op TEXT NOT NULL,
    bullet TEXT NOT NULL,              -- the bullet it changes; for a merge the one that stays
    operation TEXT NOT NULL,           -- canonical JSON
    PRIMARY KEY (version, position)
);
CREATE TABLE bullet_history (        -- every bullet as it was after each version that touched it
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    bullet TEXT NOT NULL,
    branch TEXT NOT NULL REFERENCES branches DEFERRABLE,
    section TEXT NOT NULL,
    content TEXT NOT NULL,
    provenance TEXT NOT NULL,
    status TEXT NOT NULL,
    pinned BIGINT NOT NULL,
    helpful BIGINT NOT NULL,
    harmful BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (version, bullet)
);
CREATE TABLE sections (              -- in order of first use; a branch begins with those of its base
    branch TEXT NOT NULL REFERENCES branches DEFERRABLE,
    place BIGINT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,  -- the first that used it
    PRIMARY KEY (branch, place)
);
CREATE TABLE bullets (               -- of the head of main, removed ones included
    id TEXT PRIMARY KEY,
    section TEXT NOT NULL,
    content TEXT NOT NULL,
    provenance TEXT NOT NULL,          -- JSON list of episode ids
    status TEXT NOT NULL,              -- active, quarantined or removed
    pinned BIGINT NOT NULL,
    helpful BIGINT NOT NULL,
    harmful BIGINT NOT NULL,
    position BIGINT NOT NULL
);
CREATE TABLE tags (                  -- every time a name was given; its last row counts
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    version BIGINT REFERENCES versions DEFERRABLE,  -- NULL: the name was taken away
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE steps (                 -- the journal of a run
    run BIGINT NOT NULL REFERENCES runs DEFERRABLE,
    number BIGINT NOT NULL,
    phase TEXT NOT NULL,
    payload TEXT NOT NULL,             -- JSON
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    checksum TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, number)
);
CREATE TABLE episodes (              -- every attempt that was made, kept for good
    id TEXT NOT NULL,                  -- unique within a run
    run BIGINT REFERENCES runs DEFERRABLE,
    phase TEXT NOT NULL,
    context_version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    sample_id TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    correct BIGINT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    detail TEXT NOT NULL,              -- of the verdict, which may use labels
    error TEXT NOT NULL,               -- why there is no answer
    reply TEXT NOT NULL,               -- what the model said, unchanged
    feedback_kind TEXT NOT NULL,       -- labels, execution or none
    feedback TEXT NOT NULL,            -- what the learner was shown
    passed BIGINT,                     -- 0, 1, or NULL where nothing shown says so; ran too
    ran BIGINT,
    expected TEXT NOT NULL,
    subjects TEXT NOT NULL,            -- JSON list
    missing TEXT NOT NULL,             -- JSON list: what only the right answer has
    uses TEXT NOT NULL DEFAULT '[]',   -- JSON list: its parts
    checksum TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '',  -- why there is no answer, as one word
    finish_reason TEXT NOT NULL DEFAULT '',  -- why the model stopped writing
    reasoning TEXT NOT NULL DEFAULT '',  -- what the model thought
    turns TEXT NOT NULL DEFAULT '[]',  -- JSON list of objects: tool calls and what came back, in order
    artifacts TEXT NOT NULL DEFAULT '{}',  -- JSON object: texts beside the answer, by name
    expected_kind TEXT NOT NULL DEFAULT 'answer',  -- what expected is: answer, SQL ...
    label_error TEXT NOT NULL DEFAULT '',  -- why the right answer itself is broken
    shown_score DOUBLE PRECISION,      -- what the learner was shown of the score
    checked BIGINT NOT NULL DEFAULT 0,  -- ran is the environment's own check of the answer
    parts TEXT NOT NULL DEFAULT '[]',  -- JSON list: what the attempt is made of
    fact_topics TEXT NOT NULL DEFAULT '{}',  -- JSON object: topics of what uses, missing and parts name
    rowid BIGINT GENERATED BY DEFAULT AS IDENTITY  -- the order in which rows came
);
CREATE TABLE proposals (             -- deltas that asked to be kept
    run BIGINT REFERENCES runs DEFERRABLE,
    sample_id TEXT NOT NULL,
    author TEXT NOT NULL,
    delta TEXT NOT NULL,               -- canonical JSON
    outcome TEXT NOT NULL,             -- accepted or rejected
    why TEXT NOT NULL,
    episodes TEXT NOT NULL,            -- JSON list of episode ids
    attempts TEXT NOT NULL,            -- JSON list of the answers that proved or refuted it
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    checksum TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT 'unknown',  -- the rule that decided; why says it to people
    rowid BIGINT GENERATED BY DEFAULT AS IDENTITY  -- the order in which rows came
);
CREATE TABLE rejected_operations (   -- operations that could not apply
    run BIGINT REFERENCES runs DEFERRABLE,
    author TEXT NOT NULL,
    operation TEXT NOT NULL,           -- canonical JSON
    why TEXT NOT NULL,
    version BIGINT NOT NULL REFERENCES versions DEFERRABLE,
    checksum TEXT NOT NULL DEFAULT '',
    rowid BIGINT GENERATED BY DEFAULT AS IDENTITY  -- the order in which rows came
);
CREATE TABLE calls (                 -- every request to a model that came to an end, as it did
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    run BIGINT NOT NULL REFERENCES runs DEFERRABLE,
    step BIGINT NOT NULL,              -- a step that was cut off has calls, and no row in steps
    phase TEXT NOT NULL,
    sample TEXT NOT NULL,              -- what it was made for: a sample, or a subject that is curated
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,             -- hash of everything that was asked
    occurrence BIGINT NOT NULL,        -- of this request for this sample in this step, from 0
    reply TEXT,                        -- JSON string: what the model said; null when the request failed
    finish_reason TEXT NOT NULL,
    error TEXT NOT NULL,               -- why there is no reply
    faults TEXT NOT NULL,              -- JSON list: kind, attempt, action, detail
    calls BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,     -- cached ones included
    cached_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cost DOUBLE PRECISION,             -- US dollars; null is unknown
    started DOUBLE PRECISION NOT NULL,  -- seconds since 1970, UTC
    seconds DOUBLE PRECISION NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE feedback (              -- what was said of an answer after it was given
    id BIGINT PRIMARY KEY,
    run BIGINT REFERENCES runs DEFERRABLE,  -- of the episode
    episode TEXT NOT NULL,
    "right" BIGINT NOT NULL,           -- 0 or 1
    expected TEXT NOT NULL,            -- the right answer, if somebody knew it
    text TEXT NOT NULL,                -- anything else
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL,
    score DOUBLE PRECISION,            -- from 0 to 1; NULL where nobody gave one
    unjudged BIGINT NOT NULL DEFAULT 0  -- 1: nobody said whether it is right, and "right" is 0
);
CREATE TABLE waiting_feedback (      -- what no step has learned from yet, as the journals say
    feedback BIGINT PRIMARY KEY REFERENCES feedback DEFERRABLE,
    task TEXT                          -- of its run; NULL where it has none
);
CREATE TABLE episode_events (        -- of somebody else's agent: what its program has reported
    episode TEXT NOT NULL,             -- the id that its row in episodes has once it has ended
    number BIGINT NOT NULL,            -- 0 is how it began, which stays; the others go when it ends
    run BIGINT REFERENCES runs DEFERRABLE,
    event TEXT NOT NULL,               -- JSON object: the beginning, or a turn
    created TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (episode, number)
);
CREATE TABLE aliases (               -- the ids bullets have in files they were imported from
    source TEXT NOT NULL,              -- the file's name
    alias TEXT NOT NULL,               -- the id there
    bullet TEXT NOT NULL,
    section TEXT NOT NULL,             -- what the file said when it was last imported, from here on
    content_hash TEXT NOT NULL,        -- SHA-256
    helpful BIGINT NOT NULL,
    harmful BIGINT NOT NULL,
    checksum TEXT NOT NULL,
    rowid BIGINT GENERATED BY DEFAULT AS IDENTITY,  -- the order in which rows came
    PRIMARY KEY (source, alias)
);
CREATE TABLE memories (              -- what is known of users, and from when until when
    number BIGINT PRIMARY KEY,         -- numbers that are missing are in forgotten
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,               -- user, session or everyone
    "user" TEXT NOT NULL,              -- empty for everyone
    session TEXT NOT NULL,             -- empty unless for a session
    kind TEXT NOT NULL,                -- fact, preference or feedback
    subject TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    since TEXT NOT NULL,               -- from when it holds, ISO 8601, UTC
    until TEXT,                        -- where a newer memory took its place
    expires TEXT,
    conversation TEXT NOT NULL,        -- where it was said
    turn BIGINT,                       -- from 1
    quote TEXT NOT NULL,               -- what was said there
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE memory_proposals (      -- what a model thought should be remembered
    id BIGINT PRIMARY KEY,
    "user" TEXT NOT NULL,
    session TEXT NOT NULL,
    conversation TEXT NOT NULL,
    proposal TEXT NOT NULL,            -- JSON; secrets and what was forgotten are blacked out
    outcome TEXT NOT NULL,             -- accepted or rejected
    why TEXT NOT NULL,
    memory TEXT NOT NULL,              -- what it became, if it was accepted
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL,
    rule TEXT NOT NULL DEFAULT '',     -- that refused it; empty where it was accepted
    same_as TEXT NOT NULL DEFAULT ''   -- the memory that a duplicate repeats
);
CREATE TABLE forgotten (             -- that there was a memory; nothing of what it said
    number BIGINT PRIMARY KEY,         -- of the memory
    memory TEXT NOT NULL UNIQUE,
    redacted TEXT NOT NULL,            -- JSON: table -> rows in which its text was blacked out
    scrubbed BIGINT NOT NULL,          -- 1: and no byte of it is left in the file
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE memory_exports (        -- files with memories: forgetting looks there, too
    id BIGINT PRIMARY KEY,
    path TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE vectors (               -- of bullets' texts; they can be computed again
    text TEXT PRIMARY KEY,             -- SHA-256 of the text
    embedder TEXT NOT NULL,            -- the model that computed it
    vector BYTEA NOT NULL,             -- float32, little-endian
    checksum TEXT NOT NULL             -- of the other values: a row without it is not used
);
CREATE TABLE seals (                 -- of each table with checksums: no row came or went unseen
    name TEXT PRIMARY KEY,
    "rows" BIGINT NOT NULL,            -- how many it has
    digest BYTEA NOT NULL,             -- 32 bytes: the sum of the SHA-256 of name and checksum of each row
    checksum TEXT NOT NULL
);
CREATE UNIQUE INDEX episodes_id ON episodes (id, run);
CREATE INDEX episodes_run ON episodes (run);
CREATE INDEX proposals_run ON proposals (run);
CREATE INDEX bullet_history_bullet ON bullet_history (branch, bullet, version);
CREATE INDEX calls_run ON calls (run, step);
CREATE INDEX waiting_feedback_task ON waiting_feedback (task, feedback);
CREATE INDEX memories_user ON memories ("user", scope, session);
CREATE VIEW history AS              -- what every version did, newest first
SELECT number AS version, branch, created, author, reason, run, merged, op, bullet, operation
FROM versions LEFT JOIN operations ON operations.version = versions.number
ORDER BY number DESC, operations.position;
CREATE VIEW head_bullets AS         -- what main's prompts get, in their order
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section AND sections.branch = 'main'
WHERE status = 'active' ORDER BY sections.place, bullets.position, bullets.id;
CREATE VIEW quarantined_bullets AS  -- what waits on main for proof, and no prompt gets
SELECT bullets.* FROM bullets JOIN sections ON sections.name = bullets.section AND sections.branch = 'main'
WHERE status = 'quarantined' ORDER BY sections.place, bullets.position, bullets.id;

CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('ace.rewriting', TRUE), '') <> 'on' THEN
        RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME USING ERRCODE = '23000';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER keep_versions BEFORE UPDATE OR DELETE ON versions FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_versions BEFORE TRUNCATE ON versions EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_operations BEFORE UPDATE OR DELETE ON operations FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_operations BEFORE TRUNCATE ON operations EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_bullet_history BEFORE UPDATE OR DELETE ON bullet_history FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_bullet_history BEFORE TRUNCATE ON bullet_history EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_sections BEFORE UPDATE OR DELETE ON sections FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_sections BEFORE TRUNCATE ON sections EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_tags BEFORE UPDATE OR DELETE ON tags FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_tags BEFORE TRUNCATE ON tags EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_steps BEFORE UPDATE OR DELETE ON steps FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_steps BEFORE TRUNCATE ON steps EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_episodes BEFORE UPDATE OR DELETE ON episodes FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_episodes BEFORE TRUNCATE ON episodes EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_proposals BEFORE UPDATE OR DELETE ON proposals FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_proposals BEFORE TRUNCATE ON proposals EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_rejected_operations BEFORE UPDATE OR DELETE ON rejected_operations FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_rejected_operations BEFORE TRUNCATE ON rejected_operations EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_calls BEFORE UPDATE OR DELETE ON calls FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_calls BEFORE TRUNCATE ON calls EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_feedback BEFORE UPDATE OR DELETE ON feedback FOR EACH ROW EXECUTE FUNCTION keep_history();
CREATE TRIGGER keep_all_feedback BEFORE TRUNCATE ON feedback EXECUTE FUNCTION keep_history();
