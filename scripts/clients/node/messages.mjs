// Points the official Anthropic client, unmodified, at a running Bendi:
//
//	node messages.mjs BASE_URL
//
// BASE_URL is what a user would give the client, without /v1/messages, such as
// http://127.0.0.1:8080 or http://127.0.0.1:8080/v1/chat/pro. A key, where the
// server wants one, comes from ANTHROPIC_API_KEY.

import assert from 'node:assert/strict';
import process from 'node:process';
import Anthropic, { BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { failureOf, run } from './run.mjs';

const [baseURL] = process.argv.slice(2);
if (!baseURL) {
  console.error('usage: node messages.mjs BASE_URL');
  process.exit(2);
}
// A retry would hide a failure.
const client = new Anthropic({ baseURL, apiKey: process.env.ANTHROPIC_API_KEY ?? 'none', maxRetries: 0, timeout: 60_000 });
const model = (await client.models.list()).data[0].id;
const question = { model, max_tokens: 64, messages: [{ role: 'user', content: '你好,你是谁?' }] };
const tools = [{ name: 'find_order', description: '查询订单', input_schema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] } }];

function complete(message) {
  assert.match(message.id, /^msg_/);
  assert.equal(message.type, 'message');
  assert.equal(message.role, 'assistant');
  assert.equal(message.model, model);
  assert.ok(message.content.some((b) => b.type === 'text' && b.text.length > 0), JSON.stringify(message.content));
  assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason), message.stop_reason);
  assert.ok(message.usage.output_tokens > 0);
  assert.ok(message.usage.input_tokens + message.usage.cache_read_input_tokens > 0);
}

await run({
  async 'models.list'() {
    const list = await client.models.list();
    assert.equal(list.has_more, false);
    assert.equal(list.data[0].type, 'model');
    assert.equal((await client.models.retrieve(model)).display_name, model);
  },

  async 'messages.create'() {
    complete(await client.messages.create(question));
    complete(await client.messages.create({
      ...question,
      system: [{ type: 'text', text: '请用中文回答。', cache_control: { type: 'ephemeral' } }],
      messages: [...question.messages, { role: 'assistant', content: [{ type: 'thinking', thinking: '想', signature: 'x' }, { type: 'text', text: '您好。' }] }, { role: 'user', content: [{ type: 'text', text: '谢谢' }] }],
      metadata: { user_id: 'somebody' },
      thinking: { type: 'enabled', budget_tokens: 1024 },
    }));
  },

  async 'stream'() {
    const names = [];
    for await (const event of await client.messages.create({ ...question, stream: true })) names.push(event.type);
    assert.equal(names[0], 'message_start');
    assert.deepEqual(names.slice(-2), ['message_delta', 'message_stop']);
    assert.ok(names.includes('content_block_delta'));
  },

  async 'the stream helper'() {
    const stream = client.messages.stream(question);
    let text = '';
    stream.on('text', (delta) => (text += delta));
    const message = await stream.finalMessage();
    complete(message);
    assert.equal(message.content[0].text, text);
  },

  async 'stop_sequences'() {
    const whole = (await client.messages.create({ ...question, temperature: 0 })).content[0].text;
    const stop = [...whole][3];
    const message = await client.messages.create({ ...question, temperature: 0, stop_sequences: [stop] });
    assert.equal(message.stop_reason, 'stop_sequence');
    assert.equal(message.stop_sequence, stop);
  },

  async 'tools'() {
    for (const stream of [false, true]) {
      const asked = { ...question, tools, tool_choice: { type: 'any' }, messages: [{ role: 'user', content: '请帮我查订单 12345' }], max_tokens: 256 };
      let message;
      try {
        message = stream ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked);
      } catch (err) {
        // The demo model knows no tools, and says so.
        assert.ok(err instanceof BadRequestError, err.stack);
        assert.match(err.message, /cannot call tools/);
        continue;
      }
      const call = message.content.find((b) => b.type === 'tool_use');
      assert.equal(message.stop_reason, 'tool_use');
      assert.equal(call.name, 'find_order');
      assert.equal(typeof call.input.id, 'string');
      complete(await client.messages.create({
        ...asked, tool_choice: { type: 'none' },
        messages: [...asked.messages, { role: 'assistant', content: message.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: '已发货' }] }],
      }));
    }
  },

  async 'count_tokens'() {
    const { max_tokens, ...asked } = question;
    const { input_tokens } = await client.messages.countTokens(asked);
    const { usage } = await client.messages.create(question);
    assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
  },

  async 'errors'() {
    const unknown = await failureOf(client.messages.create({ ...question, model: model + 'x' }));
    assert.ok(unknown instanceof NotFoundError, unknown.stack);
    assert.equal(unknown.error.error.type, 'not_found_error');
    assert.ok(unknown.requestID, 'no requestID');
    const hot = await failureOf(client.messages.create({ ...question, temperature: 2, stream: true }));
    assert.ok(hot instanceof BadRequestError, hot.stack);
    assert.equal(hot.error.error.param, 'temperature');
  },

  async 'abort'() {
    const stream = client.messages.stream({ ...question, max_tokens: 1024 });
    stream.once('text', () => stream.abort());
    await failureOf(stream.finalMessage());
    complete(await client.messages.create(question));
  },
});
