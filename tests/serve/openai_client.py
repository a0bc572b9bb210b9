#!/usr/bin/env python3
"""The official `openai` Python client against `slipway serve-model` with a tiny model: completions, chats, streams,
log-probabilities, adapters, errors, disconnects. The client is installed by pip into a folder below the build; where that
cannot be had the test says so and is skipped.

  openai_client.py --slipway build/bin/slipway --source . --venv build/tests/openai-venv"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

SKIPPED = 77
PACKAGE = "openai==2.54.0"


def inside_venv(options):
    """Runs this script again with a Python that has the client."""
    python = os.path.join(options.venv, "bin", "python")
    installed = subprocess.run([python, "-c", "import openai"], capture_output=True).returncode == 0 if os.path.exists(python) else False
    if not installed:
        steps = [[sys.executable, "-m", "venv", options.venv],
                 [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"SKIPPED: the openai client could not be installed: {done.stderr.strip()[-500:]}", flush=True)
                sys.exit(SKIPPED)
    os.execv(python, [python, *sys.argv, "--inside"])


class Server:
    def __init__(self, options, *more):
        model = os.path.join(options.source, "tests/ml/fixtures/models/tiny-gemma2-fp32")
        adapter = os.path.join(options.source, "tests/ml/fixtures/goldens/tiny-gemma2/adapter0")
        self.process = subprocess.Popen(
            [options.slipway, "serve-model", "--model", model, "--served-model-name", "tiny", "--adapter", f"tuned={adapter}",
             "--port", "0", "--threads", "1", *more], stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"http://\S+", self.process.stdout.readline()).group()
        deadline = time.monotonic() + 60
        while self.get("/health")[0] != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("the server is not ready after 60 s")

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)}{{[^}}]*}} (\S+)$", self.get("/metrics")[1], re.M).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got!r} instead of {want!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


GREEDY = {"temperature": 0, "extra_body": {"ignore_eos": True}}
CHAT = [{"role": "user", "content": "Say something"}]


def models(client):
    same([m.id for m in client.models.list()], ["tiny", "tuned"], "models")
    same(client.models.retrieve("tuned").id, "tuned", "one model")


def completions(client):
    one = client.completions.create(model="tiny", prompt="Hello", max_tokens=8, **GREEDY)
    same(one.object, "text_completion", "object")
    same(one.choices[0].finish_reason, "length", "finish_reason")
    same((one.usage.completion_tokens, one.usage.total_tokens), (8, one.usage.prompt_tokens + 8), "usage")
    same(client.completions.create(model="tiny", prompt="Hello", max_tokens=8, **GREEDY).choices[0].text, one.choices[0].text,
         "greedy again")
    echoed = client.completions.create(model="tiny", prompt="Hello", max_tokens=8, echo=True, **GREEDY)
    same(echoed.choices[0].text, "Hello" + one.choices[0].text, "echo")
    many = client.completions.create(model="tiny", prompt=["Hello", "Bye"], n=2, max_tokens=4, temperature=3, seed=5)
    same([c.index for c in many.choices], [0, 1, 2, 3], "two prompts, two continuations")
    holds(many.choices[0].text != many.choices[1].text, "continuations of one prompt differ")
    again = client.completions.create(model="tiny", prompt=["Hello", "Bye"], n=2, max_tokens=4, temperature=3, seed=5)
    same([c.text for c in again.choices], [c.text for c in many.choices], "the seed repeats it")
    tuned = client.completions.create(model="tuned", prompt="Hello", max_tokens=30, logprobs=0, **GREEDY)
    base = client.completions.create(model="tiny", prompt="Hello", max_tokens=30, logprobs=0, **GREEDY)
    same(tuned.model, "tuned", "model")
    holds(tuned.choices[0].logprobs.token_logprobs != base.choices[0].logprobs.token_logprobs, "the adapter speaks")
    middle = base.choices[0].text[4:6]
    stopped = client.completions.create(model="tiny", prompt="Hello", max_tokens=30, stop=[middle], **GREEDY)
    same(stopped.choices[0].text, base.choices[0].text[:base.choices[0].text.index(middle)], "stop")
    same(stopped.choices[0].finish_reason, "stop", "finish_reason of a stop")
    forced = client.completions.create(model="tiny", prompt="Hello", max_tokens=3, temperature=0, logit_bias={"9": 100}, logprobs=0)
    same(len(set(forced.choices[0].logprobs.tokens)), 1, "logit_bias")


def completion_stream(client):
    whole = client.completions.create(model="tiny", prompt="Hello", max_tokens=40, **GREEDY)
    pieces = list(client.completions.create(model="tiny", prompt="Hello", max_tokens=40, stream=True,
                                            stream_options={"include_usage": True}, **GREEDY))
    same("".join(p.choices[0].text for p in pieces if p.choices), whole.choices[0].text, "streamed text")
    holds(len(pieces) > 10, "it comes in pieces")
    same(pieces[-1].usage.completion_tokens, 40, "usage of the stream")
    same(pieces[-2].choices[0].finish_reason, "length", "finish_reason of the stream")


def chat(client):
    whole = client.chat.completions.create(model="tiny", messages=CHAT, max_tokens=20, **GREEDY)
    same(whole.choices[0].message.role, "assistant", "role")
    same(whole.usage.completion_tokens, 20, "usage")
    pieces = list(client.chat.completions.create(model="tiny", messages=CHAT, max_completion_tokens=20, stream=True, **GREEDY))
    same(pieces[0].choices[0].delta.role, "assistant", "role comes first")
    same("".join(p.choices[0].delta.content or "" for p in pieces), whole.choices[0].message.content, "streamed chat")
    same(pieces[-1].choices[0].finish_reason, "length", "finish_reason")
    parts = [{"role": "user", "content": [{"type": "text", "text": "Say "}, {"type": "text", "text": "something"}]}]
    same(client.chat.completions.create(model="tiny", messages=parts, max_tokens=20, **GREEDY).choices[0].message.content,
         whole.choices[0].message.content, "content in parts")
    with client.chat.completions.stream(model="tiny", messages=CHAT, max_tokens=20, **GREEDY) as events:
        same("".join(e.delta for e in events if e.type == "content.delta"), whole.choices[0].message.content, "the client's own events")


def logprobs(client):
    listed = client.completions.create(model="tiny", prompt="Hello", max_tokens=5, logprobs=3, **GREEDY).choices[0].logprobs
    same([len(listed.tokens), len(listed.token_logprobs), len(listed.top_logprobs), len(listed.text_offset)], [5, 5, 5, 5], "lists")
    for own, top in zip(listed.token_logprobs, listed.top_logprobs):
        same(own, max(top.values()), "greedy takes the likeliest")
        holds(own <= 0, "a log-probability")
    content = client.chat.completions.create(model="tiny", messages=CHAT, max_tokens=5, logprobs=True, top_logprobs=2,
                                             **GREEDY).choices[0].logprobs.content
    same(len(content), 5, "one per token")
    for token in content:
        same(len(token.top_logprobs), 2, "top_logprobs")
        same(token.logprob, token.top_logprobs[0].logprob, "greedy takes the likeliest")
        same(bytes(token.bytes).decode(), token.token, "bytes")
    streamed = []
    for piece in client.chat.completions.create(model="tiny", messages=CHAT, max_tokens=5, logprobs=True, top_logprobs=2,
                                                stream=True, **GREEDY):
        if piece.choices and piece.choices[0].logprobs:
            streamed += piece.choices[0].logprobs.content
    same([t.logprob for t in streamed], [t.logprob for t in content], "streamed log-probabilities")


def errors(client, openai):
    def refused(kind, call, param=None, words=""):
        try:
            call()
        except kind as error:
            same(error.param, param, "param")
            holds(words in error.message, f"{words!r} in {error.message!r}")
            return
        raise AssertionError(f"no {kind.__name__}")

    ask = client.completions.create
    refused(openai.NotFoundError, lambda: ask(model="none", prompt="a"), "model", "not served")
    refused(openai.BadRequestError, lambda: ask(model="tiny", prompt="a", temperature=-1), "temperature")
    refused(openai.BadRequestError, lambda: ask(model="tiny", prompt="a", extra_body={"max_token": 3}), "max_token", "max_tokens")
    refused(openai.BadRequestError, lambda: ask(model="tiny", prompt="a" * 20000), "prompt", "at most")
    refused(openai.BadRequestError, lambda: client.chat.completions.create(model="tiny", messages=[]), "messages")
    refused(openai.APIStatusError, lambda: ask(model="tiny", prompt="a" * 2_000_000), None, "too large")


def finished(server):
    """How many requests have ended, by reason."""
    page = server.get("/metrics")[1]
    return {reason: int(count) for reason, count in re.findall(r'request_success_total{[^}]*finished_reason="(\w+)"} (\d+)$', page, re.M)}


def disconnect(client, server):
    for _ in range(20):  # on a busy machine the whole answer may be there before the client has gone
        before = finished(server)
        stream = client.completions.create(model="tiny", prompt="Hello", max_tokens=1500, stream=True, **GREEDY)
        next(iter(stream))
        stream.close()
        deadline = time.monotonic() + 30
        while finished(server) == before:
            holds(time.monotonic() < deadline, "a client that has gone is still served")
        if finished(server).get("abort", 0) > before.get("abort", 0):
            return
    raise AssertionError("none of 20 was counted as aborted")


def others(server):
    holds("<title>slipway chat</title>" in server.get("/")[1], "the chat page")
    same(server.get("/ping")[0], 200, "ping")
    holds("version" in json.loads(server.get("/version")[1]), "version")
    holds(server.metric("vllm:generation_tokens_total") > 100, "tokens are counted")


def drain(client, server):
    stream = iter(client.completions.create(model="tiny", prompt="Hello", max_tokens=400, stream=True,
                                            stream_options={"include_usage": True}, **GREEDY))
    next(stream)
    server.process.send_signal(signal.SIGTERM)
    same(list(stream)[-1].usage.completion_tokens, 400, "what is in work is finished")
    same(server.process.wait(60), 0, "exit code after TERM")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--venv", required=True)
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if not options.inside:
        inside_venv(options)
    import openai

    with Server(options) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        models(client)
        completions(client)
        completion_stream(client)
        chat(client)
        logprobs(client)
        errors(client, openai)
        disconnect(client, server)
        others(server)
        drain(client, server)
    print(f"openai {openai.__version__}: all well")


if __name__ == "__main__":
    main()
