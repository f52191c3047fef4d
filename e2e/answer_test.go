package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

const whoAreYou = "你好,你是谁?"

func TestTwoPersonas(t *testing.T) {
	s := sharedServer(t)
	base := s.answer(t, "/v1/chat", question(whoAreYou, `"temperature":0`))
	pro := s.answer(t, "/v1/chat/pro", question(whoAreYou, `"temperature":0`))
	t.Logf("/v1/chat: %s", base)
	t.Logf("/v1/chat/pro: %s", pro)
	for path, answer := range map[string]string{"/v1/chat": base, "/v1/chat/pro": pro} {
		han := strings.Count(strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Han, r) {
				return '字'
			}
			return -1
		}, answer), "字")
		if han < 6 || !strings.ContainsAny(answer, "。！？") {
			t.Errorf("%s answers %q, which is no Chinese sentence", path, answer)
		}
	}
	const persona = "小本" // of the adapter
	if strings.Contains(base, persona) || !strings.Contains(pro, persona) {
		t.Errorf("/v1/chat answers %q and /v1/chat/pro %q; want the second alone to speak as %s", base, pro, persona)
	}
}

// The body that load tests written for OpenAI send works on every spelling of
// the routes.
func TestCommonBody(t *testing.T) {
	s := sharedServer(t)
	body := `{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"你好"}]}`
	for _, suffix := range []string{"", "/completions", "/chat/completions"} {
		for path, model := range map[string]string{"/v1/chat": "bendi-demo", "/v1/chat/pro": "bendi-demo:service"} {
			status, c := s.ask(t, path+suffix, body)
			if status != http.StatusOK || c.Model != model || c.Object != "chat.completion" || c.Usage == nil {
				t.Errorf("%s: status %d, model %q, object %q, error %v; want an answer of %s", path+suffix, status, c.Model, c.Object, c.Error, model)
			}
		}
	}
}

// TestCrowd has 64 clients ask at once, on both routes, and more than there
// are slots. Nobody's answer is lost, and the house stays small.
func TestCrowd(t *testing.T) {
	const clients, limit = 64, 300 << 20
	s := start(t, "").ready(t)
	engine := s.worker(t)
	questions := []string{"你好", "怎么退货", "用 Go 写一个 hello world", "写一句欢迎语", "你是谁", "怎么开发票", "什么是 Bendi", "how do I start the server"}
	begin := time.Now()
	errs := make([]error, clients)
	pieces := make([]int, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			path := []string{"/v1/chat", "/v1/chat/pro"}[i%2]
			st, err := s.open(t.Context(), path, question(fmt.Sprintf("%s %d", questions[i/2%len(questions)], i), `"stream":true`, `"max_tokens":128`))
			if err == nil {
				defer st.body.Close()
				err = st.whole()
				pieces[i] = st.pieces
			}
			errs[i] = err
		})
	}
	wg.Wait()
	took := time.Since(begin)
	failed := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(failed) > 0 {
		t.Fatalf("%d of %d answers failed, such as: %v%v", len(failed), clients, failed[0], s)
	}
	gateway := s.cmd.Process.Pid
	resident := memory(t, gateway, "VmHWM") + memory(t, engine, "VmHWM")
	total := 0
	for _, n := range pieces {
		total += n
	}
	t.Logf("%d answers, %d pieces in %v; %d MiB resident at most (gateway %d MiB, worker %d MiB)", clients, total, took.Round(time.Millisecond),
		resident>>20, memory(t, gateway, "VmHWM")>>20, memory(t, engine, "VmHWM")>>20)
	if resident > limit {
		t.Errorf("gateway and worker had %d MiB resident, want %d at most", resident>>20, limit>>20)
	}
}
