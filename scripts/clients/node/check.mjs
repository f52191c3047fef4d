// Points the official OpenAI client, unmodified, at a running Bendi:
//
//	node check.mjs BASE_URL [openai|openai-next]
//
// BASE_URL is what a user would give the client, such as
// http://127.0.0.1:8080/v1 or http://127.0.0.1:8080/v1/chat/pro. A key, where
// the server wants one, comes from OPENAI_API_KEY. Each check prints a line;
// the exit status is 1 when one failed.

import assert from 'node:assert/strict';
import process from 'node:process';
import { failureOf, run } from './run.mjs';

const [baseURL, library = 'openai'] = process.argv.slice(2);
if (!baseURL) {
  console.error('usage: node check.mjs BASE_URL [openai|openai-next]');
  process.exit(2);
}
const { default: OpenAI, APIUserAbortError, BadRequestError, NotFoundError } = await import(library);

// A retry would hide a failure.
const client = new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? 'none', maxRetries: 0, timeout: 60_000 });
const messages = [{ role: 'user', content: '你好,你是谁?' }];
const model = (await client.models.list()).data[0].id;
const question = { model, messages, max_tokens: 64 };

// complete checks the parts of a whole answer.
function complete(answer) {
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, model);
  assert.match(answer.id, /^chatcmpl-/);
  const [choice, ...more] = answer.choices;
  assert.equal(more.length, 0);
  assert.equal(choice.index, 0);
  assert.equal(choice.message.role, 'assistant');
  assert.ok(choice.message.content.length > 0, 'the answer is empty');
  assert.ok(['stop', 'length'].includes(choice.finish_reason), `finish_reason is ${choice.finish_reason}`);
}

function counted(usage) {
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0, JSON.stringify(usage));
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

const checks = {
  async 'models.list'() {
    const models = [];
    for await (const m of client.models.list()) models.push(m);
    assert.ok(models.length > 0, 'no model is listed');
    for (const m of models) {
      assert.equal(m.object, 'model');
      assert.ok(m.id && m.owned_by && m.created >= 0, JSON.stringify(m)); // of what a backend has, nobody knows since when
    }
  },

  async 'models.retrieve'() {
    const m = await client.models.retrieve(model);
    assert.equal(m.id, model);
    assert.equal(m.object, 'model');
  },

  // The client asks for base64 unless told otherwise, and decodes it.
  async 'embeddings.create'() {
    const input = ['你好', '怎么退货?'];
    const packed = await client.embeddings.create({ model, input });
    const plain = await client.embeddings.create({ model, input, encoding_format: 'float' });
    for (const [i, e] of packed.data.entries()) {
      assert.equal(e.index, i);
      assert.ok(e.embedding.length > 1, 'the vector is empty');
      assert.equal(e.embedding.length, plain.data[i].embedding.length);
      const dot = e.embedding.reduce((sum, x, j) => sum + x * plain.data[i].embedding[j], 0);
      assert.ok(Math.abs(dot - 1) < 1e-3, `base64 and float point ${dot} alike`);
    }
    assert.ok(packed.usage.prompt_tokens > 0 && packed.usage.total_tokens === packed.usage.prompt_tokens);
  },

  async 'moderations.create'() {
    const one = await client.moderations.create({ input: '诈骗话术' });
    assert.ok(one.id && one.model, 'no id or model');
    assert.equal(one.results.length, 1);
    const [result] = one.results;
    assert.equal(result.flagged, true);
    assert.equal(result.categories.fraud, true);
    assert.equal(result.categories.sexual, false);
    assert.ok(result.category_scores.fraud > 0);
    assert.deepEqual(result.category_applied_input_types.violence, ['text']);
    const several = await client.moderations.create({ model: 'omni-moderation-latest', input: ['你好', '诈骗话术'] });
    assert.deepEqual(several.results.map((r) => r.flagged), [false, true]);
    const parts = await client.moderations.create({ input: [{ type: 'text', text: '你好' }] });
    assert.deepEqual(parts.results.map((r) => r.flagged), [false]);
  },

  async 'content filter'() {
    const blocked = { ...question, messages: [{ role: 'user', content: '诈骗话术' }] };
    for (const stream of [false, true]) {
      const err = await failureOf(client.chat.completions.create({ ...blocked, stream }));
      assert.ok(err instanceof BadRequestError, err.stack);
      assert.equal(err.code, 'content_filter');
      assert.equal(err.param, 'messages[0].content');
      assert.equal(err.error.innererror.code, 'policy_block');
    }
  },

  async 'chat.completions.create'() {
    const answer = await client.chat.completions.create(question);
    complete(answer);
    counted(answer.usage);
    assert.ok(answer._request_id, 'no _request_id');
  },

  async 'response headers'() {
    const { response, request_id } = await client.chat.completions.create(question).withResponse();
    assert.equal(response.headers.get('x-request-id'), request_id);
    assert.match(response.headers.get('x-bendi-route'), /^\/v1\/chat/);
  },

  async 'a conversation in parts'() {
    const answer = await client.chat.completions.create({
      model,
      messages: [
        { role: 'developer', content: [{ type: 'text', text: '请用中文回答。' }] },
        ...messages,
        { role: 'assistant', content: '您好。' },
        { role: 'user', content: [{ type: 'text', text: '谢谢' }] },
      ],
      max_completion_tokens: 64,
      user: 'somebody',
      metadata: { nobody: 'knows' },
    });
    complete(answer);
  },

  async 'max_tokens'() {
    const answer = await client.chat.completions.create({ ...question, max_tokens: 2 });
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 2);
  },

  async 'stream with usage'() {
    const stream = await client.chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(new Set(chunks.map((c) => `${c.id} ${c.created} ${c.model} ${c.object}`)).size, 1);
    assert.equal(chunks[0].object, 'chat.completion.chunk');
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    counted(last.usage);
    assert.ok(['stop', 'length'].includes(chunks.at(-1).choices[0].finish_reason));
    assert.ok(chunks.map((c) => c.choices[0].delta.content ?? '').join('').length > 0, 'the answer is empty');
  },

  async 'stream without usage'() {
    const stream = await client.chat.completions.create({ ...question, stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.choices.length, 1);
      assert.ok(!chunk.usage, 'usage, which nobody asked for');
    }
  },

  async 'the stream helper'() {
    const runner = client.chat.completions.stream({ ...question, stream_options: { include_usage: true } });
    let text = '';
    runner.on('content', (delta) => (text += delta));
    const answer = await runner.finalChatCompletion();
    complete(answer);
    assert.equal(answer.choices[0].message.content, text);
    assert.equal(await runner.finalContent(), text);
    counted(await runner.totalUsage());
  },

  async 'unknown model'() {
    const err = await failureOf(client.chat.completions.create({ ...question, model: model + 'x' }));
    assert.ok(err instanceof NotFoundError, err.stack);
    assert.equal(err.status, 404);
    assert.equal(err.code, 'model_not_found');
    assert.equal(err.param, 'model');
    assert.ok(err.requestID, 'no requestID');
    assert.ok(err.message.includes(model), `the message names no near model: ${err.message}`);
    assert.ok((await failureOf(client.models.retrieve('no-such-model'))) instanceof NotFoundError);
  },

  async 'bad parameter'() {
    const err = await failureOf(client.chat.completions.create({ ...question, temperature: 9, stream: true }));
    assert.ok(err instanceof BadRequestError, err.stack);
    assert.equal(err.param, 'temperature');
    assert.equal(err.type, 'invalid_request_error');
  },

  async 'completions.create'() {
    const asked = { model, prompt: ['你好', '再见'], max_tokens: 8, n: 2, echo: true };
    const whole = await client.completions.create(asked);
    assert.equal(whole.object, 'text_completion');
    assert.match(whole.id, /^cmpl-/);
    assert.deepEqual(whole.choices.map((c) => c.index), [0, 1, 2, 3]);
    assert.ok(whole.choices.every((c, i) => c.text.startsWith(asked.prompt[i >> 1])), JSON.stringify(whole.choices));
    counted(whole.usage);
    const texts = ['', '', '', ''];
    const stream = await client.completions.create({ ...asked, stream: true });
    for await (const chunk of stream) for (const c of chunk.choices) texts[c.index] += c.text;
    assert.ok(texts.every((text, i) => text.startsWith(asked.prompt[i >> 1])), texts.join('|'));
    const [{ logprobs }] = (await client.completions.create({ model, prompt: '你好', max_tokens: 2, logprobs: 2 })).choices;
    assert.equal(logprobs.tokens.length, 2);
    assert.equal(Object.keys(logprobs.top_logprobs[0]).length, 2);
    assert.ok((await failureOf(client.completions.create({ model, prompt: '诈骗话术' }))) instanceof BadRequestError);
  },

  async 'abort'() {
    const long = { ...question, max_tokens: 1024 };
    const controller = new AbortController();
    const stream = await client.chat.completions.create({ ...long, stream: true }, { signal: controller.signal });
    try {
      for await (const _ of stream) controller.abort();
    } catch (err) {
      assert.ok(err instanceof APIUserAbortError, err.stack);
    }
    const runner = client.chat.completions.stream(long);
    runner.once('chunk', () => runner.abort());
    const err = await failureOf(runner.done());
    assert.ok(err instanceof APIUserAbortError, err.stack);
    complete(await client.chat.completions.create(question));
  },
};

await run(checks);
