"""The user of a table that compares ways to a model, for Locust.

    locust -f scripts/locust/locustfile.py --headless -u 400 -t 30s --host http://127.0.0.1:8080

Every user asks again after BENCH_USERS / BENCH_RATE seconds, so that all of them
together ask BENCH_RATE times a second, evenly. A request counts from the moment
that it is due: a user whose last answer came late does not hide the wait
(coordinated omission). Answers are streamed; the first token has a line of its own
in Locust's statistics.

Locust rounds its percentiles. BENCH_SAMPLES names a file that gets every request as
a line: when it was due and when it was sent, in seconds since the start; the first
token and the end after it was due, in ms; what went wrong.
"""

import itertools
import json
import os
import time

import gevent
import gevent.ssl
from locust import FastHttpUser, events, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS

RATE = float(os.environ.get("BENCH_RATE", "100"))
USERS = int(os.environ.get("BENCH_USERS", "400"))
FIELDS = json.loads(os.environ.get("BENCH_FIELDS", "{}"))  # of a request, besides those below
EXPECT = os.environ.get("BENCH_EXPECT", "")  # the text of an answer; empty: any
SPAWNED = 3.0  # seconds until all users are there

# All users share it, since to make one takes some tens of ms. The certificates of
# both sites are made for the occasion, and not looked at.
tls = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_CLIENT)
tls.check_hostname, tls.verify_mode = False, gevent.ssl.CERT_NONE

numbers = itertools.count()
questions = itertools.cycle(["怎么退货？", "你们几点开门？", "我的订单到哪里了？", "请写一句欢迎语。", "可以开发票吗？"])
samples = open(os.environ["BENCH_SAMPLES"], "w", buffering=1) if "BENCH_SAMPLES" in os.environ else None
start = None


class Fault(Exception):
    """An answer that is not what it should be."""


class ChatUser(FastHttpUser):
    ssl_context_factory = staticmethod(lambda cafile=None: tls)

    def on_start(self):
        global start
        if start is None:
            start = time.time() + SPAWNED
        self.due = start + next(numbers) / RATE
        gevent.sleep(max(0, self.due - time.time()))

    def wait_time(self):
        self.due += USERS / RATE
        return max(0, self.due - time.time())

    @task
    def chat(self):
        sent, first, fault = time.time(), None, ""
        body = {
            "model": "gpt-3.5-turbo",
            "messages": [{"role": "user", "content": next(questions)}],
            "stream": True,
            **FIELDS,
        }
        with self.client.post(
            "/v1/chat/completions", json=body, headers={"Authorization": "Bearer TEST"}, stream=True, catch_response=True
        ) as response:
            try:
                for first in self.read(response):
                    pass
                response.success()
            except (Fault, *FAILURE_EXCEPTIONS) as e:
                fault = f"{type(e).__name__}: {e}"
                response.failure(fault)
            total = 1000 * (time.time() - self.due)
            response.request_meta["response_time"] = total
        if first is not None:
            first = 1000 * (first - self.due)
            events.request.fire(
                request_type="SSE", name="first token", response_time=first, response_length=0, exception=None, context={}
            )
        if samples:
            at = [round(self.due - start, 3), round(sent - start, 3), first and round(first, 2), round(total, 2), fault]
            samples.write(json.dumps(at) + "\n")

    def read(self, response):
        """Reads an answer, and yields the time of its first token."""
        response.raise_for_status()
        if response.status_code != 200:
            raise Fault(f"status {response.status_code}")
        text, finished, begun = [], False, False
        while line := response.stream.readline(b"\n\n"):
            if not line.startswith(b"data: "):
                continue
            if line.startswith(b"data: [DONE]"):
                break
            event = json.loads(line[6:])
            if "error" in event:
                raise Fault(f"an error in the stream: {event['error'].get('message')}")
            for choice in event["choices"]:
                if piece := choice["delta"].get("content"):
                    text.append(piece)
                    if not begun:
                        begun = True
                        yield time.time()
                finished = finished or choice.get("finish_reason") is not None
        else:
            raise Fault("the stream ended without [DONE]")
        while response.stream.readline(b"\n"):  # to its end, so that the connection is kept
            pass
        if not finished:
            raise Fault("the answer has no finish_reason")
        if EXPECT and "".join(text) != EXPECT:
            raise Fault(f"the answer has {len(''.join(text))} characters and is another one")
