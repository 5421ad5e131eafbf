"""An agent that knows nothing of `ace`: it reads one question as JSON, asks a model, and writes JSON.

It talks to any OpenAI-compatible server. `ace` tells it where its own embedded model is; to use another one,
set ACE_MODEL_URL, ACE_MODEL_NAME and ACE_MODEL_KEY.
"""

import json
import os
import re
import sys
import urllib.request

JOB = "You keep the log of a ferry company. Reply with the log code for what happened, and nothing else."


def ask(messages, seed, temperature):
    """Return what the model says."""
    url = os.environ.get("ACE_MODEL_URL") or sys.exit("Set ACE_MODEL_URL, as http://127.0.0.1:8080/v1.")
    body = {
        "model": os.environ.get("ACE_MODEL_NAME", "default"),
        "messages": messages,
        "max_tokens": 16,
        "temperature": temperature,
        "seed": seed,
    }
    headers = {"Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {os.environ.get('ACE_MODEL_KEY', 'none')}"
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)["choices"][0]["message"]["content"]


def main():
    asked = json.load(sys.stdin)
    reply = ""
    if asked["context"]:  # else no code is known yet
        system = f"{JOB}\n\nCodes that are known so far:\n{asked['context']}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": asked["question"]}]
        reply = ask(messages, asked["seed"], asked["temperature"])
    words = [word.strip(".,:;`'\"") for word in reply.split()]
    codes = [word for word in words if re.fullmatch(r"[A-Z]\d", word) and word in asked["context"]]
    answer = codes[-1] if codes else "unknown"  # it does not make up a code
    print(json.dumps({"answer": answer, "turns": [{"kind": "assistant", "text": reply or answer}]}))


main()
