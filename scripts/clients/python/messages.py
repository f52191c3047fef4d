"""Points the official Anthropic client, unmodified, at a running Bendi.

    .venv/bin/python messages.py BASE_URL

BASE_URL is what a user would give the client, without /v1/messages, such as
http://127.0.0.1:8080 or http://127.0.0.1:8080/v1/chat/pro. A key, where the
server wants one, comes from ANTHROPIC_API_KEY. Each check prints a line; the
exit status is 1 when one failed.
"""

import os

import anthropic

from run import failure, main

MESSAGES = [{"role": "user", "content": "你好,你是谁?"}]
TOOL = {"name": "find_order", "description": "查询订单", "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}}


class Checks:
    """Every public method is a check."""

    def __init__(self, base_url: str):
        # A retry would hide a failure.
        self._client = anthropic.Anthropic(base_url=base_url, api_key=os.environ.get("ANTHROPIC_API_KEY", "none"), max_retries=0, timeout=60)
        self._model = self._client.models.list().data[0].id
        self._question = {"model": self._model, "messages": MESSAGES, "max_tokens": 64}

    def models_list(self):
        models = list(self._client.models.list())
        assert models and all(m.type == "model" and m.id and m.display_name for m in models), models
        assert self._client.models.retrieve(self._model).id == self._model

    def create(self):
        self._complete(self._client.messages.create(**self._question))

    def conversation(self):
        self._complete(
            self._client.messages.create(
                model=self._model,
                max_tokens=64,
                system=[{"type": "text", "text": "请用中文回答。", "cache_control": {"type": "ephemeral"}}],
                messages=[
                    *MESSAGES,
                    {"role": "assistant", "content": [{"type": "thinking", "thinking": "想", "signature": "x"}, {"type": "text", "text": "您好。"}]},
                    {"role": "user", "content": [{"type": "text", "text": "谢谢"}]},
                ],
                metadata={"user_id": "somebody"},
                extra_body={"top_k": 20},  # the client leaves sampling out
                thinking={"type": "enabled", "budget_tokens": 1024},
            )
        )

    def stream(self):
        events = [e.type for e in self._client.messages.create(**self._question, stream=True)]
        assert events[0] == "message_start" and events[-2:] == ["message_delta", "message_stop"], events
        assert "content_block_delta" in events, events

    def stream_helper(self):
        with self._client.messages.stream(**self._question) as stream:
            text = "".join(stream.text_stream)
            message = stream.get_final_message()
        self._complete(message)
        assert message.content[0].text == text

    def stop_sequences(self):
        whole = self._client.messages.create(**self._question, extra_body={"temperature": 0}).content[0].text
        message = self._client.messages.create(**self._question, extra_body={"temperature": 0}, stop_sequences=[whole[3]])
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", whole[3]), message

    def tools(self):
        asked = self._question | {"tools": [TOOL], "tool_choice": {"type": "any"}, "max_tokens": 256}
        try:
            message = self._client.messages.create(**asked)
        except anthropic.BadRequestError as err:  # the demo model knows no tools, and says so
            assert "cannot call tools" in err.message, err
            return
        (call,) = [b for b in message.content if b.type == "tool_use"]
        assert message.stop_reason == "tool_use" and call.name == "find_order" and isinstance(call.input, dict), message

    def count_tokens(self):
        counted = self._client.messages.count_tokens(model=self._model, messages=MESSAGES).input_tokens
        usage = self._client.messages.create(**self._question).usage
        assert counted == usage.input_tokens + usage.cache_read_input_tokens, (counted, usage)

    def errors(self):
        err = failure(anthropic.NotFoundError, lambda: self._client.messages.create(**self._question | {"model": "no-such-model"}))
        assert err.body["error"]["type"] == "not_found_error" and err.request_id, err
        err = failure(anthropic.BadRequestError, lambda: self._client.messages.create(**self._question, extra_body={"temperature": 2}, stream=True))
        assert err.body["error"]["param"] == "temperature", err

    def _complete(self, message):
        """Checks the parts of a whole answer."""
        assert message.type == "message" and message.role == "assistant" and message.model == self._model, message
        assert message.id.startswith("msg_"), message.id
        assert any(b.type == "text" and b.text for b in message.content), message
        assert message.stop_reason in ("end_turn", "max_tokens"), message.stop_reason
        assert message.usage.output_tokens > 0 and message.usage.input_tokens + message.usage.cache_read_input_tokens > 0, message.usage


if __name__ == "__main__":
    main(Checks)
