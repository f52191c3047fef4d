package responses

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// What the specification of Open Responses (2026-04-24) requires of each object:
// its fields, and what they are. A mark ? allows null. Names of reasoning events
// are OpenAI's, which its SDKs know.
var shapes = map[string]string{
	"response": `id:text object:text created_at:whole completed_at:whole? status:text incomplete_details:object? model:text previous_response_id:text?
		instructions:text? output:list error:object? tools:list tool_choice:any truncation:text parallel_tool_calls:bool text:object top_p:number
		presence_penalty:number frequency_penalty:number top_logprobs:whole temperature:number reasoning:object? usage:object? max_output_tokens:whole?
		max_tool_calls:whole? store:bool background:bool service_tier:text metadata:object safety_identifier:text? prompt_cache_key:text?`,
	"usage": "input_tokens:whole output_tokens:whole total_tokens:whole input_tokens_details:object output_tokens_details:object",
	"tool":  "type:text name:text description:text? parameters:object? strict:bool?",

	"message":              "id:text type:text status:text role:text content:list",
	"function_call":        "id:text type:text status:text call_id:text name:text arguments:text",
	"function_call_output": "id:text type:text status:text call_id:text output:any",
	"reasoning":            "id:text type:text summary:list",

	"output_text":    "type:text text:text annotations:list logprobs:list",
	"reasoning_text": "type:text text:text",
	"summary_text":   "type:text text:text",
	"input_text":     "type:text text:text",
	"refusal":        "type:text refusal:text",

	"response.created":                       "response:object",
	"response.in_progress":                   "response:object",
	"response.completed":                     "response:object",
	"response.incomplete":                    "response:object",
	"response.failed":                        "response:object",
	"response.output_item.added":             "output_index:whole item:object",
	"response.output_item.done":              "output_index:whole item:object",
	"response.content_part.added":            "item_id:text output_index:whole content_index:whole part:object",
	"response.content_part.done":             "item_id:text output_index:whole content_index:whole part:object",
	"response.output_text.delta":             "item_id:text output_index:whole content_index:whole delta:text logprobs:list",
	"response.output_text.done":              "item_id:text output_index:whole content_index:whole text:text logprobs:list",
	"response.refusal.delta":                 "item_id:text output_index:whole content_index:whole delta:text",
	"response.refusal.done":                  "item_id:text output_index:whole content_index:whole refusal:text",
	"response.reasoning_text.delta":          "item_id:text output_index:whole content_index:whole delta:text",
	"response.reasoning_text.done":           "item_id:text output_index:whole content_index:whole text:text",
	"response.reasoning_summary_part.added":  "item_id:text output_index:whole summary_index:whole part:object",
	"response.reasoning_summary_part.done":   "item_id:text output_index:whole summary_index:whole part:object",
	"response.reasoning_summary_text.delta":  "item_id:text output_index:whole summary_index:whole delta:text",
	"response.reasoning_summary_text.done":   "item_id:text output_index:whole summary_index:whole text:text",
	"response.function_call_arguments.delta": "item_id:text output_index:whole delta:text",
	"response.function_call_arguments.done":  "item_id:text output_index:whole arguments:text",
	"error":                                  "error:object",
}

// shaped checks that an object has the fields of its kind.
func shaped(t testing.TB, kind string, o map[string]any) {
	t.Helper()
	fields, known := shapes[kind]
	if !known {
		t.Errorf("nothing is said of objects of the type %q", kind)
	}
	for field := range strings.FieldsSeq(fields) {
		name, is, _ := strings.Cut(field, ":")
		v, there := o[name]
		if !there || !isA(v, is) {
			t.Errorf("%s: %s is %v, want %s", kind, name, v, is)
		}
	}
}

func isA(v any, kind string) bool {
	if v == nil {
		return strings.HasSuffix(kind, "?")
	}
	ok := true
	switch strings.TrimSuffix(kind, "?") {
	case "text":
		_, ok = v.(string)
	case "bool":
		_, ok = v.(bool)
	case "list":
		_, ok = v.([]any)
	case "object":
		_, ok = v.(map[string]any)
	case "number":
		_, ok = v.(float64)
	case "whole":
		n, number := v.(float64)
		ok = number && n == math.Trunc(n)
	}
	return ok
}

// responseShaped checks a response with all that is in it: that its status goes
// with what else it says, and that an item that is incomplete is the last.
func responseShaped(t testing.TB, r map[string]any) {
	t.Helper()
	shaped(t, "response", r)
	status, _ := r["status"].(string)
	if u, ok := r["usage"].(map[string]any); ok {
		shaped(t, "usage", u)
	}
	for _, tool := range r["tools"].([]any) {
		shaped(t, "tool", tool.(map[string]any))
	}
	ended := slices.Contains([]string{"completed", "incomplete", "failed"}, status)
	if !ended && status != "in_progress" || (r["completed_at"] != nil) != (status == "completed") ||
		(r["incomplete_details"] != nil) != (status == "incomplete") || (r["error"] != nil) != (status == "failed") {
		t.Errorf("a response is %q, completed at %v, incomplete for %v, with the error %v", status, r["completed_at"], r["incomplete_details"], r["error"])
	}
	output := r["output"].([]any)
	for i, it := range output {
		s := itemShaped(t, it)
		if s == "incomplete" && (i != len(output)-1 || status != "incomplete" && status != "failed") || s == "in_progress" && ended {
			t.Errorf("item %d of %d of a response that is %s is %s", i, len(output), status, s)
		}
	}
}

func itemShaped(t testing.TB, it any) (status string) {
	t.Helper()
	o := it.(map[string]any)
	kind := fmt.Sprint(o["type"])
	shaped(t, kind, o)
	for _, list := range []string{"content", "summary"} {
		parts, _ := o[list].([]any)
		for _, p := range parts {
			shaped(t, fmt.Sprint(p.(map[string]any)["type"]), p.(map[string]any))
		}
	}
	status, _ = o["status"].(string)
	return status
}

// eventShaped checks an event with all that is in it. What begins, is in
// progress and empty.
func eventShaped(t testing.TB, ev map[string]any) {
	t.Helper()
	kind := fmt.Sprint(ev["type"])
	shaped(t, kind, ev)
	if !isA(ev["sequence_number"], "whole") {
		t.Errorf("%s has the number %v", kind, ev["sequence_number"])
	}
	if r, ok := ev["response"].(map[string]any); ok {
		responseShaped(t, r)
	}
	if it, ok := ev["item"].(map[string]any); ok {
		status := itemShaped(t, it)
		if strings.HasSuffix(kind, ".added") != (status == "in_progress") {
			t.Errorf("%s of an item that is %s", kind, status)
		}
	}
	if p, ok := ev["part"].(map[string]any); ok {
		shaped(t, fmt.Sprint(p["type"]), p)
		if text, _ := p["text"].(string); strings.HasSuffix(kind, ".added") && text != "" {
			t.Errorf("%s of a part that has words already", kind)
		}
	}
}
