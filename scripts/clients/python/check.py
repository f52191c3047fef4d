"""Points the official OpenAI client, unmodified, at a running Bendi.

    .venv/bin/python check.py BASE_URL

BASE_URL is what a user would give the client, such as http://127.0.0.1:8080/v1
or http://127.0.0.1:8080/v1/chat/pro. A key, where the server wants one, comes
from OPENAI_API_KEY. Each check prints a line; the exit status is 1 when one
failed.
"""

import asyncio
import os

import openai

from run import failure, main

MESSAGES = [{"role": "user", "content": "你好,你是谁?"}]


class Checks:
    """Every public method is a check."""

    def __init__(self, base_url: str):
        # A retry would hide a failure.
        options = {"base_url": base_url, "api_key": os.environ.get("OPENAI_API_KEY", "none"), "max_retries": 0, "timeout": 60}
        self._client = openai.OpenAI(**options)
        self._options = options
        self._model = self._client.models.list().data[0].id
        self._question = {"model": self._model, "messages": MESSAGES, "max_tokens": 64}

    def models_list(self):
        models = list(self._client.models.list())
        assert models, "no model is listed"
        for m in models:
            assert m.object == "model" and m.id and m.owned_by and m.created >= 0, m  # of what a backend has, nobody knows since when

    def models_retrieve(self):
        assert self._client.models.retrieve(self._model).id == self._model

    def embeddings(self):
        # The client asks for base64 unless told otherwise, and decodes it.
        texts = ["你好", "怎么退货?"]
        packed = self._client.embeddings.create(model=self._model, input=texts)
        plain = self._client.embeddings.create(model=self._model, input=texts, encoding_format="float")
        for i, (a, b) in enumerate(zip(packed.data, plain.data, strict=True)):
            assert a.index == i and len(a.embedding) == len(b.embedding) > 1
            dot = sum(x * y for x, y in zip(a.embedding, b.embedding))
            assert abs(dot - 1) < 1e-3, f"base64 and float point {dot} alike"
        assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0

    def moderations(self):
        one = self._client.moderations.create(input="诈骗话术")
        assert one.id and one.model, one
        (result,) = one.results
        assert result.flagged and not result.categories.sexual, result
        assert result.categories.model_extra["fraud"] is True, result.categories
        assert result.category_applied_input_types.violence == ["text"], result
        several = self._client.moderations.create(model="omni-moderation-latest", input=["你好", "诈骗话术"])
        assert [r.flagged for r in several.results] == [False, True], several
        parts = self._client.moderations.create(input=[{"type": "text", "text": "你好"}])
        assert [r.flagged for r in parts.results] == [False], parts

    def content_filter(self):
        blocked = self._question | {"messages": [{"role": "user", "content": "诈骗话术"}]}
        for stream in (False, True):
            err = failure(openai.BadRequestError, lambda: self._client.chat.completions.create(**blocked, stream=stream))
            assert (err.code, err.param) == ("content_filter", "messages[0].content"), err
            assert err.body["innererror"]["code"] == "policy_block", err.body

    def create(self):
        answer = self._client.chat.completions.create(**self._question)
        self._complete(answer)
        _counted(answer.usage)
        assert answer._request_id, "no request id"

    def response_headers(self):
        raw = self._client.chat.completions.with_raw_response.create(**self._question)
        assert raw.headers["x-request-id"] == raw.request_id
        assert raw.headers["x-bendi-route"].startswith("/v1/chat")
        self._complete(raw.parse())

    def conversation_in_parts(self):
        answer = self._client.chat.completions.create(
            model=self._model,
            messages=[
                {"role": "developer", "content": [{"type": "text", "text": "请用中文回答。"}]},
                *MESSAGES,
                {"role": "assistant", "content": "您好。"},
                {"role": "user", "content": [{"type": "text", "text": "谢谢"}]},
            ],
            max_completion_tokens=64,
            user="somebody",
            metadata={"nobody": "knows"},
            extra_body={"top_k": 20},
        )
        self._complete(answer)

    def max_tokens(self):
        answer = self._client.chat.completions.create(**self._question | {"max_tokens": 2})
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 2

    def stream_with_usage(self):
        stream = self._client.chat.completions.create(**self._question, stream=True, stream_options={"include_usage": True})
        self._whole(list(stream))

    def stream_without_usage(self):
        for chunk in self._client.chat.completions.create(**self._question, stream=True):
            assert len(chunk.choices) == 1
            assert chunk.usage is None, "usage, which nobody asked for"

    def stream_helper(self):
        with self._client.chat.completions.stream(**self._question, stream_options={"include_usage": True}) as stream:
            text = "".join(event.delta for event in stream if event.type == "content.delta")
            answer = stream.get_final_completion()
        self._complete(answer)
        assert answer.choices[0].message.content == text
        _counted(answer.usage)

    def unknown_model(self):
        err = failure(openai.NotFoundError, lambda: self._client.chat.completions.create(**self._question | {"model": self._model + "x"}))
        assert (err.status_code, err.code, err.param) == (404, "model_not_found", "model"), err
        assert err.request_id, "no request id"
        assert self._model in err.message, f"the message names no near model: {err.message}"
        failure(openai.NotFoundError, lambda: self._client.models.retrieve("no-such-model"))

    def bad_parameter(self):
        err = failure(openai.BadRequestError, lambda: self._client.chat.completions.create(**self._question, temperature=9, stream=True))
        assert (err.param, err.type) == ("temperature", "invalid_request_error"), err

    def completions(self):
        asked = {"model": self._model, "prompt": ["你好", "再见"], "max_tokens": 8, "n": 2, "echo": True}
        whole = self._client.completions.create(**asked)
        assert whole.object == "text_completion" and whole.id.startswith("cmpl-"), whole
        assert [c.index for c in whole.choices] == [0, 1, 2, 3], whole
        assert all(c.text.startswith(asked["prompt"][c.index // 2]) for c in whole.choices), whole
        _counted(whole.usage)
        texts = [""] * 4
        for chunk in self._client.completions.create(**asked, stream=True):
            for c in chunk.choices:
                texts[c.index] += c.text
        assert all(text.startswith(asked["prompt"][i // 2]) for i, text in enumerate(texts)), texts
        logs = self._client.completions.create(model=self._model, prompt="你好", max_tokens=2, logprobs=2).choices[0].logprobs
        assert len(logs.tokens) == 2 and len(logs.top_logprobs[0]) == 2, logs

    def leaving_a_stream(self):
        with self._client.chat.completions.create(**self._question | {"max_tokens": 1024}, stream=True) as stream:
            next(iter(stream))
        self._complete(self._client.chat.completions.create(**self._question))

    async def async_models_list(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            models = [m.id async for m in client.models.list()]
        assert self._model in models, models

    async def async_create(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            answers = await asyncio.gather(*(client.chat.completions.create(**self._question) for _ in range(4)))
        for answer in answers:
            self._complete(answer)

    async def async_stream(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            stream = await client.chat.completions.create(**self._question, stream=True, stream_options={"include_usage": True})
            self._whole([chunk async for chunk in stream])

    async def async_stream_helper(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            async with client.chat.completions.stream(**self._question) as stream:
                self._complete(await stream.get_final_completion())

    async def async_errors(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            try:
                await client.chat.completions.create(**self._question | {"model": "no-such-model"})
            except openai.NotFoundError as err:
                assert err.code == "model_not_found", err
            else:
                raise AssertionError("succeeded, want NotFoundError")

    async def async_cancellation(self):
        async with openai.AsyncOpenAI(**self._options) as client:
            begun = asyncio.Event()

            async def read():
                async for _ in await client.chat.completions.create(**self._question | {"max_tokens": 1024}, stream=True):
                    begun.set()
                    await asyncio.sleep(3600)  # until cancelled

            task = asyncio.create_task(read())
            await asyncio.wait_for(begun.wait(), 60)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), task
            self._complete(await client.chat.completions.create(**self._question))

    def _complete(self, answer):
        """Checks the parts of a whole answer."""
        assert answer.object == "chat.completion" and answer.model == self._model, answer
        assert answer.id.startswith("chatcmpl-"), answer.id
        (choice,) = answer.choices
        assert choice.index == 0 and choice.message.role == "assistant", choice
        assert choice.message.content, "the answer is empty"
        assert choice.finish_reason in ("stop", "length"), choice.finish_reason

    def _whole(self, chunks):
        """Checks the chunks of a whole stream with usage."""
        assert len({(c.id, c.created, c.model, c.object) for c in chunks}) == 1
        assert chunks[0].object == "chat.completion.chunk"
        assert chunks[0].choices[0].delta.role == "assistant"
        *pieces, last = chunks
        assert last.choices == []
        _counted(last.usage)
        assert pieces[-1].choices[0].finish_reason in ("stop", "length")
        assert "".join(c.choices[0].delta.content or "" for c in pieces), "the answer is empty"


def _counted(usage):
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


if __name__ == "__main__":
    main(Checks)
