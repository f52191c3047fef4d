package engine

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"bendi/chat"
	"bendi/chat/chattest"
	"bendi/models/load"
)

// endless keeps the model from ending its turn.
func endless(r *chat.Request) { r.Sampling.IgnoreEOS = true }

func tokens(n int) func(*chat.Request) {
	return func(r *chat.Request) { r.MaxTokens = n }
}

// spoken puts a long system message in front, the same for all.
func spoken(r *chat.Request) {
	system := chat.TextMessage(chat.System, strings.Repeat("你是本地小铺的客服,请用一句话回答。", 40))
	r.Messages = append([]chat.Message{system}, r.Messages...)
}

// Sixteen users who share a long system prompt, all at once, cost little more
// prefill than one.
func TestSharedPrefixIsDecodedOnce(t *testing.T) {
	e := openDemo(t, Config{Slots: 16})
	one := answerOf(t, e, question("怎么退货?", spoken, tokens(1))).Usage.PromptTokens
	e2 := openDemo(t, Config{Slots: 16})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { answerOf(t, e2, question(fmt.Sprintf("第 %d 单怎么退货?", i), spoken, tokens(4))) })
	}
	wg.Wait()
	if work := int(e2.loop.stats.prefilled.Load()); work > one+16*16 {
		t.Errorf("%d prompt tokens were decoded for 16 users, one alone has %d", work, one)
	}
}

// A prefix that was decoded with an adapter is not used without it, nor the
// other way round: the answers are those of an engine that has seen nothing.
func TestAdaptersShareNoPrefix(t *testing.T) {
	fresh := make(map[string]string)
	for _, m := range []string{"demo", "demo:service"} {
		fresh[m] = answerOf(t, openDemo(t, Config{}), question("怎么退货?", model(m), spoken)).Text[0]
	}
	e := openDemo(t, Config{})
	for range 2 {
		for _, m := range []string{"demo", "demo:service"} {
			if got := answerOf(t, e, question("怎么退货?", model(m), spoken)).Text[0]; got != fresh[m] {
				t.Errorf("%s answered %q, on its own %q", m, got, fresh[m])
			}
		}
	}
	if u := answerOf(t, e, question("怎么退货?", spoken)).Usage; u.CachedTokens != u.PromptTokens-1 {
		t.Errorf("asked again, %d of %d prompt tokens were in the cache", u.CachedTokens, u.PromptTokens)
	}
}

// The choices of a request share its prompt, draw differently, and are counted
// together.
func TestChoices(t *testing.T) {
	e := openDemo(t, Config{Slots: 8})
	seed := int64(3)
	req := question(unheard, spoken, tokens(12), wild, func(r *chat.Request) { r.N, r.Sampling.Seed = 5, &seed })
	a, err := chattest.Collect(e.Chat(t.Context(), req), req.N)
	if err != nil {
		t.Fatal(err)
	}
	different := make(map[string]bool)
	for _, text := range a.Text {
		different[text] = true
	}
	if len(different) < 2 {
		t.Errorf("5 choices at temperature 2 are all alike: %q", a.Text)
	}
	if work := int(e.loop.stats.prefilled.Load()); work > a.Usage.PromptTokens+5 {
		t.Errorf("%d prompt tokens were decoded for a prompt of %d", work, a.Usage.PromptTokens)
	}
	if a.Usage.CompletionTokens <= 12 || a.Usage.CompletionTokens > 60 {
		t.Errorf("the usage of 5 choices with at most 12 tokens is %+v", a.Usage)
	}
	// From here on the whole prompt is in the cache. Decoded in pieces of other
	// sizes, its logits differ in their last bits, which these draws tell apart.
	var texts []string
	for range 2 {
		again, err := chattest.Collect(e.Chat(t.Context(), req), req.N)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.Join(again.Text, "|"))
	}
	if texts[0] != texts[1] {
		t.Errorf("the same seed gave %q and %q", texts[0], texts[1])
	}
}

// With a KV cache that cannot hold all, sequences give way and go on later.
// They all end, and say what they say with room for everybody, up to a near tie.
func TestFullCacheLosesNothing(t *testing.T) {
	ask := func(e *Engine) [][]chat.TokenLogProbs {
		answers := make([][]chat.TokenLogProbs, 8)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				answers[i] = spelt(t, e, question(fmt.Sprintf("第 %d 题:怎么退货?", i), endless, tokens(90)))
			})
		}
		wg.Wait()
		return answers
	}
	roomy, tight := openDemo(t, Config{Slots: 8, Context: 128}), openDemo(t, Config{Slots: 8, Context: 128, Options: load.Options{Cache: 300}})
	want, got := ask(roomy), ask(tight)
	if tight.loop.stats.preempted.Load() == 0 {
		t.Fatal("nobody had to give way")
	}
	if used := tight.loop.stats.cells.Load(); used > 300 {
		t.Errorf("%d of 300 cells are in use", used)
	}
	for i := range want {
		if at, nats := apart(want[i], got[i]); nats > nearTie || len(got[i]) != len(want[i]) {
			t.Errorf("answer %d of %d tokens differs at token %d of %d, by %.3f nats: no near tie", i, len(got[i]), at, len(want[i]), nats)
		}
	}
	idle(t, tight)
}

// A reader who takes nothing holds up its own answer and no other.
func TestSlowReaderPausesItselfAlone(t *testing.T) {
	e := openDemo(t, Config{Slots: 2})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck, reading := make(chan struct{}), make(chan struct{})
	var total int
	var wg sync.WaitGroup
	wg.Go(func() {
		for ev, err := range e.Chat(ctx, question("你好", endless, tokens(400))) {
			if err != nil {
				t.Error(err)
			}
			if total == 0 {
				close(stuck)
				<-reading
			}
			total++
			if ev.Usage != nil && ev.Usage.CompletionTokens != 400 {
				t.Errorf("the slow reader got %d tokens, want 400", ev.Usage.CompletionTokens)
			}
		}
	})
	<-stuck
	for range 3 {
		answerOf(t, e, question("怎么退货?"))
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n := e.loop.stats.generated.Load(); n > 2*ringPerChoice+3*24 {
			t.Fatalf("%d tokens were drawn for a reader who takes none", n)
		}
		answerOf(t, e, question("你好", tokens(1)))
		if time.Now().After(deadline) || e.loop.stats.generated.Load() >= ringPerChoice {
			break
		}
	}
	close(reading)
	wg.Wait()
}

// The log probabilities are those of the tokens whose text was let out, in
// order, and each token's own is what the model gives it.
func TestLogprobsGoWithTheText(t *testing.T) {
	e := openDemo(t, Config{Slots: 1})
	whole := answerOf(t, e, question("怎么退货?"))
	word := string([]rune(whole.Text[0])[6:8])
	for _, stop := range [][]string{nil, {word}} {
		var text, fromTokens strings.Builder
		for ev, err := range e.Chat(t.Context(), question("怎么退货?", func(r *chat.Request) {
			r.LogProbs, r.TopLogProbs, r.Stop = true, 3, stop
		})) {
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(ev.Text)
			for _, tok := range ev.LogProbs {
				fromTokens.Write(tok.Bytes)
				if tok.LogProb > 1e-6 || math.IsNaN(tok.LogProb) || len(tok.Top) != 3 || tok.Top[0].LogProb < tok.Top[1].LogProb {
					t.Errorf("token %q: %+v", tok.Token, tok)
				}
				if tok.Top[0].Token != tok.Token || tok.Top[0].LogProb != tok.LogProb {
					t.Errorf("a greedy token %q is not the likeliest, %q", tok.Token, tok.Top[0].Token)
				}
			}
		}
		if !strings.HasPrefix(fromTokens.String(), text.String()) {
			t.Errorf("with stop %q: the text is %q, that of the tokens %q", stop, text.String(), fromTokens.String())
		}
		if stop == nil && fromTokens.String() != text.String() {
			t.Errorf("the tokens say %q, the text is %q", fromTokens.String(), text.String())
		}
	}
}

// A choice that a stop string ends gives up its slot while the others go on.
func TestStopStringEndsOneChoice(t *testing.T) {
	e := openDemo(t, Config{Slots: 4})
	texts := answerOf(t, e, question("怎么退货?", func(r *chat.Request) { r.MaxTokens = 0 })).Text
	word := string([]rune(texts[0])[4:6])
	req := question("怎么退货?", func(r *chat.Request) { r.N, r.Stop = 3, []string{word} })
	a, err := chattest.Collect(e.Chat(t.Context(), req), req.N)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Finish {
		if f != chat.Stop || strings.Contains(a.Text[i], word) {
			t.Errorf("choice %d is %q (%s)", i, a.Text[i], f)
		}
	}
	if a.Usage.CachedTokens != 0 && a.Usage.CachedTokens >= a.Usage.PromptTokens {
		t.Errorf("the usage is %+v", a.Usage)
	}
	idle(t, e)
}

// Prompts that fill the cache between them do not wait for each other for ever.
func TestPromptsThatFillTheCache(t *testing.T) {
	e := openDemo(t, Config{Slots: 8, Context: 256, Options: load.Options{Cache: 300}})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			text := fmt.Sprintf("%d", i) + strings.Repeat("退 q 货 w ", 20+i)
			if _, err := chattest.Collect(e.Chat(t.Context(), question(text, tokens(4), model(e.Models()[i%2].ID))), 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	idle(t, e)
}
