package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bendi/chat"
	"bendi/config"
	"bendi/experiment"
	"bendi/filter"
	"bendi/metrics"
	"bendi/router"
)

// A village is some servers that answer, fail or break off as chance has it,
// and remember what they were told.
type village struct {
	mu   sync.Mutex
	told map[string][]string // bodies, by server
	luck *rand.Rand
}

func (v *village) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name := strings.Split(r.URL.Path, "/")[1]
	v.mu.Lock()
	v.told[name] = append(v.told[name], string(body))
	n := v.luck.IntN(6)
	v.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/chat/completions") || n < 3 {
		w.WriteHeader([]int{500, 503, 404}[n%3])
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if n == 3 {
		return // it breaks off
	}
	io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n")
	if n == 4 {
		return
	}
	io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n")
}

// A stub is a model here that seldom answers.
type stub struct{ standIn }

func (stub) Chat(context.Context, *chat.Request) iter.Seq2[chat.Event, error] {
	return chat.Fail(chat.Errorf(chat.Unavailable, "not now"))
}

// Whatever is configured and asked, and however backends fail: what has to stay
// inside reaches nobody outside, and what may leave masked has no personal data
// in it. The policy is told here once more, in the words of the documentation.
func TestNothingLeavesThatMayNot(t *testing.T) {
	const rounds, seed = 120, 7
	luck := rand.New(rand.NewPCG(seed, seed))
	v := &village{luck: rand.New(rand.NewPCG(seed, 1))}
	s := httptest.NewServer(v)
	defer s.Close()
	pick := func(of ...string) string { return of[luck.IntN(len(of))] }
	least := func(of ...string) string {
		order := []string{"never", "masked", "allowed"}
		return slices.MinFunc(of, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	}
	loaded, left, stayed, counted := 0, 0, 0, 0
	for round := range rounds {
		// A configuration.
		zones, masked := make(map[string]string), make(map[string]bool)
		var text strings.Builder
		text.WriteString("models:\n  here: {path: here.gguf}\nlexicons: []\nbackends:\n")
		targets := []string{"here"}
		for i := range 1 + luck.IntN(3) {
			name := fmt.Sprint("b", i)
			zones[name] = pick("inside", "outside", "outside")
			masked[name] = zones[name] == "outside" && luck.IntN(4) > 0
			fmt.Fprintf(&text, "  %s: {url: %s/%s/v1, zone: %s, models: {m: there}", name, s.URL, name, zones[name])
			if zones[name] == "outside" && !masked[name] {
				text.WriteString(`, mask: {"*": allow, media: allow}`)
			}
			text.WriteString(", breaker: {failures: 1000}}\n")
			targets = append(targets, name+"/m")
		}
		luck.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		all := slices.Clone(targets)
		targets = targets[:1+luck.IntN(len(targets))]
		cut := luck.IntN(len(targets))
		tiers := "[" + strings.Join(targets[cut:], ", ") + "]"
		if cut > 0 {
			tiers = "[" + strings.Join(targets[:cut], ", ") + "], " + tiers
		}
		permission := func() string { return pick("never", "masked", "allowed", "allowed") }
		route, keys, classes := pick("never", "masked", "masked", "allowed", "allowed"), map[string]string{}, map[string]string{}
		for _, k := range []string{"a", "*"} {
			if luck.IntN(3) == 0 {
				keys[k] = permission()
			}
		}
		for _, c := range []string{"pii.phone", "pii.email", "pii", "*"} {
			if luck.IntN(4) == 0 {
				classes[c] = permission()
			}
		}
		mapping := func(m map[string]string) string {
			var all []string
			for k, p := range m {
				all = append(all, fmt.Sprintf("%q: %s", k, p))
			}
			return "{" + strings.Join(all, ", ") + "}"
		}
		stays := luck.IntN(4) == 0 // mail does, says the filter
		action := "log"
		if stays {
			action = "route_local"
		}
		fmt.Fprintf(&text, "filters:\n  default: {privacy: {\"*\": log, email: {request: %s, answer: log}}}\n", action)
		fmt.Fprintf(&text, "access:\n  keys: [{name: a, key: \"${A_KEY}\"}, {name: b, key: \"${B_KEY}\"}]\n")
		fmt.Fprintf(&text, "routes:\n  - path: /v1/chat\n    models: [{id: chat, tiers: [%s], balance: %s, hedge: %v}]\n    egress: {route: %s, classes: %s, keys: %s}\n",
			tiers, pick("least_busy", "weighted", "affine"), len(targets) > 1 && luck.IntN(2) == 0, route, mapping(classes), mapping(keys))

		asked := targets
		if luck.IntN(2) == 0 { // an experiment may put the requests elsewhere, or copies of them
			other, dark := pick(all...), pick(all...)
			asked = append(slices.Clone(targets), other, dark)
			fmt.Fprintf(&text, "experiments:\n  x: {route: /v1/chat, control: base, arms: {base: {}, other: {model: %s, weight: 3}, dark: {model: %s, shadow: true}}}\n", other, dark)
		}
		forbidden := false // by the route, so that it must not load
		for _, target := range asked {
			if name, _, _ := strings.Cut(target, "/"); zones[name] == "outside" && (route == "never" || route == "masked" && !masked[name]) {
				forbidden = true
			}
		}
		file := filepath.Join(t.TempDir(), "bendi.yaml")
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := config.Load(config.Options{File: file, LookupEnv: func(name string) (string, bool) {
			if name == "A_KEY" || name == "B_KEY" {
				return "0123456789abcdef-" + name, true
			}
			return "", false
		}})
		if forbidden != (err != nil) {
			t.Fatalf("round %d: loading says %v, want a fault: %v\n%s", round, err, forbidden, &text)
		}
		if err != nil {
			if !strings.Contains(err.Error(), "outside of the house") || !strings.Contains(err.Error(), "bendi.yaml:") {
				t.Errorf("round %d: %v", round, err)
			}
			continue
		}
		loaded++

		// The tower of its route.
		rules, err := policies(cfg)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		lib, err := newLibrary(cfg.Lexicons, log, inForce(cfg, rules)...)
		if err != nil {
			t.Fatal(err)
		}
		n, err := meet(cfg, newRelations(nil, nil), func(id string) chat.Model { return stub{standIns(cfg)(id).(standIn)} })
		if err != nil {
			t.Fatal(err)
		}
		h := &house{ground: &ground{measured: metrics.NewGateway("test", nil), log: log}, around: n}
		offers, err := h.choices(cfg.Routes[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := router.New(offers, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		plans, err := n.plans(cfg.Routes[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		lab := experiment.New(experiment.Options{})
		split, err := lab.Split(t.TempDir(), r, plans, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := lab.Adopt(plans); err != nil {
			t.Fatal(err)
		}
		tower := filter.Guard(split, filter.Options{Shelf: lib.shelf, Policy: rules["default"], Log: log})

		for range 4 {
			// A request, and what may be told of it.
			who := pick("a", "b", "")
			phone, mail := luck.IntN(2) == 0, luck.IntN(3) == 0
			words, found := "天气怎么样", []string{}
			if phone {
				words, found = words+"，请打13800138000", append(found, "pii.phone")
			}
			if mail {
				words, found = words+"，写信到 li.si@example.com", append(found, "pii.email")
			}
			embeds := luck.IntN(4) == 0
			may := route
			if embeds { // nobody says who asks
				for _, p := range keys {
					may = least(may, p)
				}
			} else if p, ok := keys[who]; ok && who != "" {
				may = least(may, p)
			} else if p, ok := keys["*"]; ok {
				may = least(may, p)
			}
			for _, c := range found {
				for _, entry := range []string{c, "pii", "*"} {
					if p, ok := classes[entry]; ok {
						may = least(may, p)
						break
					}
				}
			}
			if stays && mail {
				may = "never"
			}

			v.mu.Lock()
			v.told = make(map[string][]string)
			v.mu.Unlock()
			if embeds {
				_, err = tower.Embed(t.Context(), &chat.EmbedRequest{ID: "x", Inputs: []chat.Input{{Text: words}}})
			} else {
				for _, e := range tower.Chat(t.Context(), &chat.Request{ID: "x", N: 1, Principal: who, Session: pick("1", "2", "3"), Messages: []chat.Message{chat.TextMessage(chat.User, words)}}) {
					err = e
				}
				split.Wait()
			}
			if e, ok := errors.AsType[*chat.Error](err); ok && strings.Contains(e.Error(), "13800138000") {
				t.Errorf("an error has what was asked in it: %v", e)
			}
			v.mu.Lock()
			for name, bodies := range v.told {
				if zones[name] != "outside" {
					continue
				}
				left++
				all := strings.Join(bodies, "\n")
				if may == "never" || may == "masked" && !masked[name] || masked[name] && (strings.Contains(all, "13800138000") || strings.Contains(all, "li.si@")) {
					t.Errorf("round %d: %s (masked %v) was told %s, where %q asked %q, which may leave %q\n%s", round, name, masked[name], all, who, words, may, &text)
				}
			}
			v.mu.Unlock()
			if may == "never" {
				stayed++
			}
		}
		split.Close()
		if len(plans) > 0 {
			counted += lab.Experiments()[0].Arms[1].Requests // copies, or those of the arm
			counted += lab.Experiments()[0].Arms[2].Requests
		}
		lab.Close()
		n.close()
	}
	if counted < 10 {
		t.Errorf("%d requests counted in arms: too few to tell", counted)
	}
	if loaded < rounds/4 || left < rounds/4 || stayed < rounds/4 {
		t.Errorf("of %d configurations %d loaded, %d requests left and %d had to stay: too few to tell", rounds, loaded, left, stayed)
	}
}
