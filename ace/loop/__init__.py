"""The loops: offline, online, evaluate, compare. They know the protocol of methods, and no one method.

Its modules:

    offline             learn: score, go over the training set, choose a version, score again
    online              answer first, score, then learn
    evaluate            score one version
    compare             run methods on the same samples, and keep it all in a study
    compare_plan        what such a comparison will do
    compare_cell        one method with one seed
    recorded            learn from attempts that somebody else made
    remember            remember a conversation
    online_server       answer now, learn when feedback comes
    background_learner  the learner behind that server
    election            which process learns, where several serve one playbook
    comeback            what follows when its learner fails
    agent_learner       context for somebody else's agent, and its episodes back
    own_episode         one of these episodes
    learning_thread     the thread that learns from them
    learner_problems    what went wrong there, for people to look at
    steps               the steps that loops are made of
    run_watch           a run as another process sees it
    run                 a run in progress: its journal, its playbook, its method's state
    run_record          what the file keeps of a run from its beginning, and finding it again
    learning_budget     how many calls a step of learning may take
    run_outcome         from the journal to the report
    lab                 where attempts are made and recorded
    contexts            what the generator sees for a sample
    domains             branches of a file for domains, and the router to them
    executor            parallel work, ordered results: the protocol, and threads
    ray_executor        the same as tasks of Ray
    ray_remote          what is sent to its workers as code
    ray_worker          what they do with it
    ray_cluster         how a cluster is reached
    parcel              what is sent to another process, and what comes back
    stand_ins           what stands there for what stays here
    replay_queue        which training samples come back
    answer_stream       the answers of an online run, and what follows when they get worse
    selection           which version is chosen
    version_rules       by which rule
    outage              when a run gives up on a model
    progress            how far it is
"""

from __future__ import annotations

from ace.loop.agent_learner import AgentLearner, choose_agent_task
from ace.loop.compare import compare
from ace.loop.compare_plan import plan_study
from ace.loop.evaluate import evaluate
from ace.loop.learner_problems import LearnerProblem
from ace.loop.learning_thread import LearningPlace
from ace.loop.offline import learn
from ace.loop.online import online
from ace.loop.online_server import OnlineServer, ServedAnswer, serve
from ace.loop.progress import Progress, RunObserver, silent
from ace.loop.recorded import learn_from_traces
from ace.methods import find_method

__all__ = [
    "AgentLearner",
    "LearnerProblem",
    "LearningPlace",
    "OnlineServer",
    "Progress",
    "RunObserver",
    "ServedAnswer",
    "choose_agent_task",
    "compare",
    "evaluate",
    "find_method",
    "learn",
    "learn_from_traces",
    "online",
    "plan_study",
    "serve",
    "silent",
]
