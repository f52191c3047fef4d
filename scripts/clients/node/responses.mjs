// Points the Responses API of the official OpenAI client, unmodified, at a
// running Bendi:
//
//	node responses.mjs BASE_URL [openai|openai-next]
//
// BASE_URL is what a user would give the client, such as
// http://127.0.0.1:8080/v1 or http://127.0.0.1:8080/v1/chat/pro. A key, where
// the server wants one, comes from OPENAI_API_KEY.

import assert from 'node:assert/strict';
import process from 'node:process';
import { failureOf, run } from './run.mjs';

const [baseURL, library = 'openai'] = process.argv.slice(2);
if (!baseURL) {
  console.error('usage: node responses.mjs BASE_URL [openai|openai-next]');
  process.exit(2);
}
const { default: OpenAI, BadRequestError, NotFoundError } = await import(library);

// A retry would hide a failure.
const client = new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? 'none', maxRetries: 0, timeout: 60_000 });
const model = (await client.models.list()).data[0].id;
const question = { model, input: '你好,你是谁?', max_output_tokens: 64 };
const tools = [{ type: 'function', name: 'find_order', description: '查询订单', parameters: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'], additionalProperties: false }, strict: true }];
const format = { type: 'json_schema', name: 'answer', strict: true, schema: { type: 'object', properties: { kind: { type: 'string', enum: ['程序', '人'] } }, required: ['kind'], additionalProperties: false } };

function complete(response) {
  assert.equal(response.object, 'response');
  assert.equal(response.model, model);
  assert.match(response.id, /^resp_/);
  assert.ok(['completed', 'incomplete'].includes(response.status), response.status);
  assert.ok(response.output_text.length > 0, 'the answer is empty');
  const { input_tokens, output_tokens, total_tokens } = response.usage;
  assert.ok(input_tokens > 0 && output_tokens > 0 && total_tokens === input_tokens + output_tokens, JSON.stringify(response.usage));
}

await run({
  async 'responses.create'() {
    complete(await client.responses.create(question));
    complete(await client.responses.create({
      ...question,
      instructions: '请用中文回答。',
      input: [{ role: 'user', content: [{ type: 'input_text', text: '你好' }] }, { role: 'assistant', content: '您好。' }, { role: 'user', content: '谢谢' }],
      metadata: { topic: '问候' },
      temperature: 0,
      top_p: 0.9,
      store: false,
    }));
  },

  async 'responses.create, streamed'() {
    const types = [];
    let text = '';
    let last;
    for await (const event of await client.responses.create({ ...question, stream: true })) {
      assert.equal(event.sequence_number, types.length);
      types.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
      if (event.type === 'response.output_text.done') assert.equal(event.text, text);
      last = event;
    }
    assert.deepEqual(types.slice(0, 4), ['response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added']);
    assert.ok(['response.completed', 'response.incomplete'].includes(last.type), last.type);
    assert.equal(last.response.output[0].content[0].text, text);
  },

  async 'responses.stream'() {
    const stream = client.responses.stream(question);
    let text = '';
    stream.on('response.output_text.delta', (event) => (text += event.delta));
    const response = await stream.finalResponse();
    complete(response);
    assert.equal(response.output_text, text);
  },

  async 'retrieve, input items, delete'() {
    const response = await client.responses.create({ ...question, metadata: { topic: '订单' } });
    const again = await client.responses.retrieve(response.id);
    assert.deepEqual(again.output, response.output);
    assert.deepEqual(again.metadata, { topic: '订单' });
    const items = [];
    for await (const item of client.responses.inputItems.list(response.id)) items.push(item);
    assert.equal(items.length, 1);
    assert.equal(items[0].content[0].text, question.input);
    await client.responses.delete(response.id);
    for (const ask of [() => client.responses.retrieve(response.id), () => client.responses.inputItems.list(response.id), () => client.responses.delete(response.id)]) {
      assert.ok((await failureOf(ask())) instanceof NotFoundError);
    }
    const unkept = await client.responses.create({ ...question, store: false });
    assert.equal(unkept.store, false);
    assert.ok((await failureOf(client.responses.retrieve(unkept.id))) instanceof NotFoundError);
  },

  async 'previous_response_id'() {
    const first = await client.responses.create({ ...question, temperature: 0, max_output_tokens: 16 });
    const next = await client.responses.create({ model, input: '再说一次', previous_response_id: first.id, max_output_tokens: 16, temperature: 0 });
    const whole = await client.responses.create({
      model, max_output_tokens: 16, temperature: 0, store: false,
      input: [{ role: 'user', content: question.input }, ...first.output, { role: 'user', content: '再说一次' }],
    });
    assert.equal(next.previous_response_id, first.id);
    assert.equal(next.usage.input_tokens, whole.usage.input_tokens, 'the model saw another conversation than if the client had kept it');
    const err = await failureOf(client.responses.create({ ...question, previous_response_id: 'resp_nothing' }));
    assert.ok(err instanceof BadRequestError, err.stack);
    assert.equal(err.code, 'previous_response_not_found');
  },

  async 'conversations'() {
    const conversation = await client.conversations.create({ items: [{ type: 'message', role: 'user', content: '我叫小明' }], metadata: { topic: '名字' } });
    const response = await client.responses.create({ ...question, conversation: conversation.id });
    assert.equal(response.conversation.id, conversation.id);
    await client.conversations.items.create(conversation.id, { items: [{ type: 'message', role: 'user', content: '谢谢' }] });
    const roles = [];
    for await (const item of client.conversations.items.list(conversation.id, { order: 'asc', limit: 2 })) roles.push(item.role);
    assert.deepEqual(roles, ['user', 'user', 'assistant', 'user']);
    await client.conversations.update(conversation.id, { metadata: { topic: '别的' } });
    assert.deepEqual((await client.conversations.retrieve(conversation.id)).metadata, { topic: '别的' });
    assert.equal((await client.conversations.delete(conversation.id)).deleted, true);
    assert.ok((await failureOf(client.conversations.retrieve(conversation.id))) instanceof NotFoundError);
    assert.ok((await failureOf(client.responses.retrieve(response.id))) instanceof NotFoundError);
  },

  // The demo model knows no tools, and says so; one that does calls this one.
  async 'tools'() {
    const asked = { ...question, tools, tool_choice: 'required' };
    for (const stream of [false, true]) {
      try {
        const response = await (stream ? client.responses.stream(asked).finalResponse() : client.responses.create(asked));
        const call = response.output.find((item) => item.type === 'function_call');
        assert.equal(call.name, 'find_order');
        JSON.parse(call.arguments);
        complete(await client.responses.create({ ...question, tools, previous_response_id: response.id, input: [{ type: 'function_call_output', call_id: call.call_id, output: '已发货' }] }));
      } catch (err) {
        assert.match(String(err.message), /cannot call tools/, err.stack);
      }
    }
  },

  async 'structured output'() {
    const response = await client.responses.parse({ ...question, text: { format } });
    assert.ok(format.schema.properties.kind.enum.includes(response.output_parsed.kind), response.output_text);
    const object = await client.responses.create({ ...question, max_output_tokens: 256, temperature: 0, text: { format: { type: 'json_object' } } });
    if (object.status === 'completed') JSON.parse(object.output_text);
  },

  async 'logprobs'() {
    const { output } = await client.responses.create({ ...question, max_output_tokens: 4, top_logprobs: 2, include: ['message.output_text.logprobs'] });
    assert.ok(output[0].content[0].logprobs.length > 0);
    assert.equal(output[0].content[0].logprobs[0].top_logprobs.length, 2);
  },

  async 'bad requests'() {
    for (const [fields, param] of [[{ temperature: 9 }, 'temperature'], [{ background: true }, 'background'], [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'], [{ input: '诈骗话术' }, 'messages[0].content']]) {
      for (const stream of [false, true]) {
        const err = await failureOf(client.responses.create({ ...question, ...fields, stream }));
        assert.ok(err instanceof BadRequestError, err.stack);
        assert.equal(err.param, param);
      }
    }
    assert.ok((await failureOf(client.responses.create({ ...question, model: model + 'x' }))) instanceof NotFoundError);
  },
});
