"""Points the Responses API of the official OpenAI client, unmodified, at a running Bendi.

    .venv/bin/python responses.py BASE_URL

BASE_URL is what a user would give the client, such as http://127.0.0.1:8080/v1
or http://127.0.0.1:8080/v1/chat/pro. A key, where the server wants one, comes
from OPENAI_API_KEY. Each check prints a line; the exit status is 1 when one
failed.
"""

import json
import os
from typing import Literal

import openai
from pydantic import BaseModel

from run import failure, main

TOOLS = [{"type": "function", "name": "find_order", "description": "查询订单", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": False}, "strict": True}]


class Answer(BaseModel):
    kind: Literal["程序", "人"]


class Checks:
    """Every public method is a check."""

    def __init__(self, base_url: str):
        # A retry would hide a failure.
        self._client = openai.OpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none"), max_retries=0, timeout=60)
        self._model = self._client.models.list().data[0].id
        self._question = {"model": self._model, "input": "你好,你是谁?", "max_output_tokens": 64}

    def create(self):
        self._complete(self._client.responses.create(**self._question))
        self._complete(
            self._client.responses.create(
                **self._question | {"input": [{"role": "user", "content": [{"type": "input_text", "text": "你好"}]}, {"role": "assistant", "content": "您好。"}, {"role": "user", "content": "谢谢"}]},
                instructions="请用中文回答。",
                metadata={"topic": "问候"},
                temperature=0,
                store=False,
            )
        )

    def stream(self):
        text = ""
        with self._client.responses.stream(**self._question) as stream:
            for n, event in enumerate(stream):
                assert event.sequence_number == n, event
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.output_text.done":
                    assert event.text == text, event
            if event.type == "response.completed":
                response = stream.get_final_response()
                self._complete(response)
                assert response.output_text == text
            else:
                assert event.type == "response.incomplete", event

    def kept(self):
        response = self._client.responses.create(**self._question, metadata={"topic": "订单"})
        again = self._client.responses.retrieve(response.id)
        assert again.output == response.output and again.metadata == {"topic": "订单"}, again
        (item,) = list(self._client.responses.input_items.list(response.id))
        assert item.content[0].text == self._question["input"], item
        self._client.responses.delete(response.id)
        failure(openai.NotFoundError, lambda: self._client.responses.retrieve(response.id))
        unkept = self._client.responses.create(**self._question, store=False)
        failure(openai.NotFoundError, lambda: self._client.responses.retrieve(unkept.id))

    def previous_response_id(self):
        first = self._client.responses.create(**self._question, temperature=0)
        next = self._client.responses.create(**self._question | {"input": "再说一次"}, previous_response_id=first.id, temperature=0)
        assert next.previous_response_id == first.id and next.usage.input_tokens > first.usage.input_tokens, next
        err = failure(openai.BadRequestError, lambda: self._client.responses.create(**self._question, previous_response_id="resp_nothing"))
        assert err.code == "previous_response_not_found", err

    def conversations(self):
        conversation = self._client.conversations.create(items=[{"type": "message", "role": "user", "content": "我叫小明"}], metadata={"topic": "名字"})
        response = self._client.responses.create(**self._question, conversation=conversation.id)
        assert response.conversation.id == conversation.id, response
        items = list(self._client.conversations.items.list(conversation.id, order="asc"))
        assert [i.role for i in items] == ["user", "user", "assistant"], items
        assert self._client.conversations.retrieve(conversation.id).metadata == {"topic": "名字"}
        assert self._client.conversations.delete(conversation.id).deleted
        failure(openai.NotFoundError, lambda: self._client.conversations.retrieve(conversation.id))

    def tools(self):
        # The demo model knows no tools, and says so; one that does calls this one.
        try:
            response = self._client.responses.create(**self._question, tools=TOOLS, tool_choice="required")
        except openai.BadRequestError as err:
            assert "cannot call tools" in err.message, err
            return
        (call, *_) = [i for i in response.output if i.type == "function_call"]
        assert call.name == "find_order" and json.loads(call.arguments), call
        output = [{"type": "function_call_output", "call_id": call.call_id, "output": "已发货"}]
        self._complete(self._client.responses.create(**self._question | {"input": output}, tools=TOOLS, previous_response_id=response.id))

    def structured_output(self):
        response = self._client.responses.parse(**self._question, text_format=Answer)
        assert response.output_parsed.kind in ("程序", "人"), response

    def logprobs(self):
        response = self._client.responses.create(**self._question | {"max_output_tokens": 4}, top_logprobs=2, include=["message.output_text.logprobs"])
        logprobs = response.output[0].content[0].logprobs
        assert logprobs and len(logprobs[0].top_logprobs) == 2, response

    def bad_requests(self):
        for fields, param in (({"temperature": 9}, "temperature"), ({"background": True}, "background"), ({"tools": [{"type": "web_search"}]}, "tools[0].type"), ({"input": "诈骗话术"}, "messages[0].content")):
            err = failure(openai.BadRequestError, lambda: self._client.responses.create(**self._question | fields))
            assert err.param == param, err

    def _complete(self, response):
        assert response.object == "response" and response.model == self._model and response.id.startswith("resp_"), response
        assert response.status in ("completed", "incomplete") and response.output_text, response
        usage = response.usage
        assert usage.input_tokens > 0 and usage.output_tokens > 0 and usage.total_tokens == usage.input_tokens + usage.output_tokens, usage


if __name__ == "__main__":
    main(Checks)
