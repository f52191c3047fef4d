// Points the Vercel AI SDK and LangChain.js, unmodified, at a running Bendi:
//
//	node frameworks.mjs BASE_URL
//
// BASE_URL is what a user would give them, such as http://127.0.0.1:8080/v1. A
// key, where the server wants one, comes from OPENAI_API_KEY.

import assert from 'node:assert/strict';
import process from 'node:process';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import { run } from './run.mjs';

const [baseURL] = process.argv.slice(2);
if (!baseURL) {
  console.error('usage: node frameworks.mjs BASE_URL');
  process.exit(2);
}
const apiKey = process.env.OPENAI_API_KEY ?? 'none';
const { data } = await (await fetch(`${baseURL}/models`, { headers: { Authorization: `Bearer ${apiKey}` } })).json();
const id = data[0].id;
const prompt = '你好,你是谁?';
const answer = z.object({ name: z.string().max(8), kind: z.enum(['程序', '人']) });

// The demo model knows no tools, and says so; one that does calls this one.
async function calls(ask) {
  try {
    const made = await ask();
    assert.equal(made, 'find_order');
  } catch (err) {
    assert.match(String(err?.message ?? err), /cannot call tools/, err.stack);
  }
}

function unknown(name) {
  const openai = createOpenAI({ baseURL, apiKey });
  return { openai: openai.chat, 'openai, by default': openai }[name]?.('no-such-model') ?? compatible('no-such-model');
}

function aiSDK(name, model) {
  const asked = { model, prompt, maxOutputTokens: 64, maxRetries: 0 };
  const tools = { find_order: tool({ description: '查询订单', inputSchema: z.object({ id: z.string() }), execute: async () => '已发货' }) };
  return {
    async [`${name}: text`]() {
      const { text, usage, finishReason } = await generateText({ ...asked, system: '请用中文回答。' });
      assert.ok(text.length > 0 && usage.inputTokens > 0 && usage.outputTokens > 0, JSON.stringify(usage));
      assert.ok(['stop', 'length'].includes(finishReason), finishReason);
    },
    async [`${name}: stream`]() {
      const result = streamText({ ...asked, onError: ({ error }) => assert.fail(error) });
      let text = '';
      for await (const piece of result.textStream) text += piece;
      assert.equal(text, await result.text);
      assert.ok(text.length > 0, 'the answer is empty');
    },
    async [`${name}: tools`]() {
      await calls(async () => (await generateText({ ...asked, tools, toolChoice: 'required' })).toolCalls[0]?.toolName);
    },
    async [`${name}: structured output`]() {
      const { output } = await generateText({ ...asked, maxOutputTokens: 256, temperature: 0, output: Output.object({ schema: answer }) });
      answer.parse(output);
    },
    async [`${name}: unknown model`]() {
      await assert.rejects(generateText({ ...asked, model: unknown(name) }), (err) => err.statusCode === 404);
    },
  };
}

const compatible = createOpenAICompatible({ name: 'bendi', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const chat = new ChatOpenAI({ model: id, apiKey, maxTokens: 64, maxRetries: 0, configuration: { baseURL } });

await run({
  ...aiSDK('openai-compatible', compatible(id)),
  ...aiSDK('openai', createOpenAI({ baseURL, apiKey }).chat(id)),
  ...aiSDK('openai, by default', createOpenAI({ baseURL, apiKey })(id)), // the Responses API

  async 'openai, by default: several turns'() {
    const model = createOpenAI({ baseURL, apiKey })(id);
    const asked = { model, maxOutputTokens: 16, maxRetries: 0, temperature: 0 };
    const messages = [{ role: 'user', content: prompt }];
    const first = await generateText({ ...asked, messages });
    // The SDK refers to what was said by the ids of items, which the server keeps.
    messages.push(...first.response.messages, { role: 'user', content: '再说一次' });
    const next = await generateText({ ...asked, messages });
    const whole = await generateText({
      ...asked, providerOptions: { openai: { store: false } },
      messages: [{ role: 'user', content: prompt }, { role: 'assistant', content: first.text }, { role: 'user', content: '再说一次' }],
    });
    assert.equal(next.usage.inputTokens, whole.usage.inputTokens);
    const { text } = await generateText({ ...asked, prompt: '再说一次', providerOptions: { openai: { previousResponseId: first.response.id } } });
    assert.ok(text.length > 0);
  },

  async 'LangChain: text'() {
    const message = await chat.invoke([['system', '请用中文回答。'], ['human', prompt]]);
    assert.ok(message.content.length > 0, 'the answer is empty');
    assert.ok(message.usage_metadata.input_tokens > 0 && message.usage_metadata.output_tokens > 0);
  },
  async 'LangChain: stream'() {
    let whole;
    for await (const chunk of await chat.stream(prompt)) whole = whole === undefined ? chunk : whole.concat(chunk);
    assert.ok(whole.content.length > 0, 'the answer is empty');
    assert.ok(whole.usage_metadata.output_tokens > 0);
  },
  async 'LangChain: tools'() {
    const order = { type: 'function', function: { name: 'find_order', description: '查询订单', parameters: { type: 'object', properties: { id: { type: 'string' } } } } };
    await calls(async () => (await chat.bindTools([order], { tool_choice: 'any' }).invoke(prompt)).tool_calls[0]?.name);
  },
  async 'LangChain: structured output'() {
    const strict = new ChatOpenAI({ model: id, apiKey, maxTokens: 256, temperature: 0, maxRetries: 0, configuration: { baseURL } });
    answer.parse(await strict.withStructuredOutput(answer, { method: 'jsonSchema' }).invoke(prompt));
  },
});
