package responses

import (
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/openaicompat/wire"
)

var update = flag.Bool("update", false, "rewrite testdata")

const session = "resp_aaaaaaaaaaaaaaaaaaaaaaaaaa"

func headOf(turn string) wire.Head {
	return wire.Head{ID: ID{session, turn}.String(), Created: 1700000000, Model: "m"}
}

var head = headOf("bbbbbbbbbbbbbbbbbbbbbbbbbb")

// told plays events to a stream and to a whole answer. It returns the stream's
// events, by their data, and the body.
func told(t testing.TB, c *Call, events []chat.Event) (stream []map[string]any, body map[string]any) {
	t.Helper()
	s, r := NewStream(head, c), NewResponse(head, c)
	var text strings.Builder
	for _, ev := range events {
		r.Add(ev)
		frames, err := s.Frames(ev)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(frames)
	}
	raw, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	responseShaped(t, body)
	return eventsOf(t, text.String()), body
}

// eventsOf reads the frames of a stream.
func eventsOf(t testing.TB, text string) (events []map[string]any) {
	t.Helper()
	for frame := range strings.SplitAfterSeq(text, "\n\n") {
		if frame == "" || frame == wire.Done && strings.HasSuffix(text, frame) {
			continue
		}
		name, data, ok := strings.Cut(strings.TrimSuffix(frame, "\n\n"), "\ndata: ")
		var fields map[string]any
		if !ok || strings.ContainsAny(data, "\r\n") || json.Unmarshal([]byte(data), &fields) != nil || name != "event: "+fields["type"].(string) {
			t.Fatalf("the frame is %q", frame)
		}
		if fields["sequence_number"] != float64(len(events)) {
			t.Fatalf("event %d has the number %v", len(events), fields["sequence_number"])
		}
		eventShaped(t, fields)
		events = append(events, fields)
	}
	return events
}

// fold adds a stream up as the SDKs of this protocol do, and checks that what
// is said to be done is what came before.
func fold(t testing.TB, events []map[string]any) map[string]any {
	t.Helper()
	var response map[string]any
	var output []map[string]any
	open := map[float64]bool{}
	at := func(ev map[string]any) map[string]any {
		i := ev["output_index"].(float64)
		if int(i) >= len(output) || !open[i] || ev["item_id"] != output[int(i)]["id"] {
			t.Fatalf("%v is about item %v, which is not open", ev["type"], i)
		}
		return output[int(i)]
	}
	partOf := func(ev map[string]any) map[string]any {
		it := at(ev)
		if i, ok := ev["summary_index"].(float64); ok {
			return it["summary"].([]any)[int(i)].(map[string]any)
		}
		return it["content"].([]any)[int(ev["content_index"].(float64))].(map[string]any)
	}
	equal := func(what string, got, want any) {
		t.Helper()
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Errorf("%s: it was said to be\n%s\nand adds up to\n%s", what, a, b)
		}
	}
	for i, ev := range events {
		switch typ := ev["type"].(string); typ {
		case "response.created":
			response = ev["response"].(map[string]any)
			if i != 0 || len(response["output"].([]any)) != 0 || response["status"] != "in_progress" {
				t.Errorf("event %d begins with %v", i, response)
			}
		case "response.in_progress":
			equal(typ, ev["response"], response)
		case "response.output_item.added":
			if int(ev["output_index"].(float64)) != len(output) {
				t.Fatalf("item %v is added as number %d", ev["output_index"], len(output))
			}
			output = append(output, ev["item"].(map[string]any))
			open[ev["output_index"].(float64)] = true
		case "response.content_part.added":
			it := at(ev)
			content, _ := it["content"].([]any)
			it["content"] = append(content, ev["part"])
		case "response.reasoning_summary_part.added":
			it := at(ev)
			it["summary"] = append(it["summary"].([]any), ev["part"])
		case "response.content_part.done", "response.reasoning_summary_part.done":
			equal(typ, ev["part"], partOf(ev))
		case "response.output_text.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta":
			p := partOf(ev)
			p["text"] = p["text"].(string) + ev["delta"].(string)
			if logs, ok := ev["logprobs"].([]any); ok {
				p["logprobs"] = append(p["logprobs"].([]any), logs...)
			}
		case "response.output_text.done", "response.reasoning_text.done", "response.reasoning_summary_text.done":
			equal(typ, ev["text"], partOf(ev)["text"])
		case "response.refusal.delta":
			p := partOf(ev)
			p["refusal"] = p["refusal"].(string) + ev["delta"].(string)
		case "response.refusal.done":
			equal(typ, ev["refusal"], partOf(ev)["refusal"])
		case "response.function_call_arguments.delta":
			it := at(ev)
			it["arguments"] = it["arguments"].(string) + ev["delta"].(string)
		case "response.function_call_arguments.done":
			equal(typ, ev["arguments"], at(ev)["arguments"])
		case "response.output_item.done":
			i := ev["output_index"].(float64)
			it := output[int(i)]
			it["status"] = ev["item"].(map[string]any)["status"]
			equal(typ, ev["item"], it)
			delete(open, i)
		case "response.completed", "response.incomplete":
			if i != len(events)-1 || len(open) > 0 {
				t.Errorf("the end is event %d of %d, with %d items open", i, len(events), len(open))
			}
			last := ev["response"].(map[string]any)
			if len(output) > 0 {
				equal(typ, last["output"], output)
			}
			return last
		default:
			t.Errorf("an event of the type %s", typ)
		}
	}
	t.Fatal("the stream has no end")
	return nil
}

func check(t testing.TB, c *Call, events []chat.Event) {
	t.Helper()
	stream, body := told(t, c, events)
	last := fold(t, stream)
	for _, r := range []map[string]any{last, body} {
		delete(r, "completed_at")
	}
	a, _ := json.Marshal(last)
	b, _ := json.Marshal(body)
	if string(a) != string(b) {
		t.Errorf("the stream adds up to\n%s\nthe whole answer is\n%s", a, b)
	}
}

func callOf(t testing.TB, body string) *Call {
	t.Helper()
	c, err := DecodeRequest([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	usage = &chat.Usage{PromptTokens: 7, CachedTokens: 5, CompletionTokens: 3, ReasoningTokens: 1}
	over  = chat.Event{Usage: usage}
)

func piece(i int, id, name, arguments string) chat.Event {
	return chat.Event{ToolCall: &chat.ToolCallDelta{Index: i, ID: id, Name: name, Arguments: arguments}}
}

func end(why chat.Finish) chat.Event { return chat.Event{Finish: why} }

// The streams of testdata are what the SDKs were made for.
func TestStreams(t *testing.T) {
	logs := []chat.TokenLogProbs{{TokenLogProb: chat.TokenLogProb{Token: "好", Bytes: []byte("好"), LogProb: -0.5}, Top: []chat.TokenLogProb{{Token: "好", Bytes: []byte("好"), LogProb: -0.5}}}}
	tests := []struct {
		name, request string
		events        []chat.Event
	}{
		{"text", `{"input":"x"}`, []chat.Event{{Text: "<你"}, {Text: "好>"}, end(chat.Stop), over}},
		{"nothing", `{"input":"x"}`, []chat.Event{end(chat.Stop), over}},
		{"log probabilities", `{"input":"x","top_logprobs":1}`, []chat.Event{{Text: "你"}, {Text: "好", LogProbs: logs}, end(chat.Stop), over}},
		{"cut off", `{"input":"x","max_output_tokens":3}`, []chat.Event{{Text: "a"}, end(chat.Length), over}},
		{"refused", `{"input":"x"}`, []chat.Event{{Text: "a"}, {Refusal: "no"}, {Refusal: "!"}, end(chat.ContentFilter), over}},
		{"reasoning and calls", `{"input":"x","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}`, []chat.Event{
			{Reasoning: "h"}, {Reasoning: "m"}, {Text: "a"}, piece(0, "call_1", "f", ""), piece(0, "", "", `{"x":`), piece(1, "call_2", "g", "{}"), piece(0, "", "", "1}"), end(chat.ToolCalls), over,
		}},
		{"a summary", `{"input":"x","reasoning":{"effort":"low","summary":"auto"}}`, []chat.Event{{Reasoning: "h"}, {Reasoning: "m"}, {Text: "a"}, end(chat.Stop), over}},
		{"not kept after all", `{"input":"x"}`, []chat.Event{{Text: "a", Memory: &chat.Memory{Stateless: true}}, end(chat.Stop), over}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := callOf(t, tt.request)
			c.kept = true
			check(t, c, tt.events)
			s := NewStream(head, c)
			var got []byte
			for _, ev := range tt.events {
				frames, _ := s.Frames(ev)
				got = append(got, frames...)
			}
			ended := `"completed_at":` + strconv.FormatInt(s.ended.Unix(), 10)
			golden(t, tt.name, strings.ReplaceAll(string(got), ended, `"completed_at":1700000001`))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".txtar")
	if *update {
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Files: []txtar.File{{Name: "stream", Data: []byte(got)}}}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := string(ar.Files[0].Data); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A stream that fails tells so in both of the places where clients look.
func TestFailure(t *testing.T) {
	for _, began := range []bool{false, true} {
		s := NewStream(head, callOf(t, `{"input":"x"}`))
		var text string
		if began {
			frames, _ := s.Frames(chat.Event{Text: "a"})
			text = string(frames)
		}
		text += string(s.Failure(&chat.Error{Kind: chat.BadBackend, Code: chat.CodeEngineFailed, Msg: "it died"}, "req_1"))
		events := eventsOf(t, text)
		n := len(events)
		said, ended := events[n-2], events[n-1]
		if said["type"] != "error" || said["message"] != "it died" || said["code"] != chat.CodeEngineFailed || said["error"].(map[string]any)["message"] != "it died" {
			t.Errorf("began %v: the error is %v", began, said)
		}
		r := ended["response"].(map[string]any)
		if ended["type"] != "response.failed" || r["status"] != "failed" || r["error"].(map[string]any)["code"] != chat.CodeEngineFailed {
			t.Errorf("began %v: the end is %v", began, ended)
		}
		if events[0]["type"] != "response.created" {
			t.Errorf("began %v: it begins with %v", began, events[0])
		}
	}
	s := NewStream(head, callOf(t, `{"input":"x"}`))
	if text := string(s.Failure(errors.New("secret words"), "req_1")); strings.Contains(text, "secret") {
		t.Errorf("a failure shows its cause: %s", text)
	}
}

// However an answer is cut up, its stream adds up to the whole answer, and what
// each event says is done is what came before.
func FuzzAnswer(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, "你好", `{"a":1}`, seed%2 == 0)
	}
	f.Add(uint64(1), "\n\ndata: x", `{"a" : {} } `, false)
	f.Fuzz(func(t *testing.T, seed uint64, text, arguments string, summary bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		arguments = strings.ToValidUTF8(arguments, "")
		text = strings.ToValidUTF8(text, "")
		var lanes [][]chat.Event
		for i := range 1 + r.IntN(3) {
			var lane []chat.Event
			for _, p := range chattest.Pieces(r, arguments) {
				lane = append(lane, piece(i, "", "", p))
			}
			if len(lane) > 0 {
				lane[0].ToolCall.ID, lane[0].ToolCall.Name = "id"+strconv.Itoa(i), "f"
			}
			lanes = append(lanes, lane)
		}
		var said []chat.Event
		for _, p := range chattest.Pieces(r, text) {
			switch r.IntN(3) {
			case 0:
				said = append(said, chat.Event{Text: p})
			case 1:
				said = append(said, chat.Event{Reasoning: p})
			default:
				said = append(said, chat.Event{Refusal: p})
			}
		}
		events := chattest.Mixed(r, append(lanes, said)...)
		c := callOf(t, `{"input":"x"}`)
		c.summary = summary
		finish := []chat.Finish{chat.Stop, chat.Length, chat.ToolCalls, chat.ContentFilter}[r.IntN(4)]
		check(t, c, append(events, end(finish), over))
	})
}
