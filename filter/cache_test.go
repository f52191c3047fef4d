package filter

import (
	"fmt"
	"strings"
	"testing"

	"bendi/chat/chattest"
)

func TestCache(t *testing.T) {
	long := strings.Repeat("早上好", 40)
	w := guard(chattest.Script("ok\n"), nil)
	for range 2 {
		if _, err := listen(t, w, ask(long+"天气", "你好"+long)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.cache.young); n != 2 {
		t.Errorf("%d texts are remembered, want 2", n)
	}
	if len(w.found) != 4 || w.found[0] != w.found[2] {
		t.Errorf("what was remembered is told otherwise: %+v", w.found)
	}
	w.Shelf.Swap(testRules("block:天气"))
	if _, err := listen(t, w, ask(long+"天气")); err == nil {
		t.Error("other rules are in force, and what was remembered of the old ones counts")
	}
	for i := range 20_000 {
		f := field{place{what: messageContent, n: 1}, textField, []string{fmt.Sprint(long, i)}}
		w.Guarded.inspect(w.now(), &f, false)
	}
	if n := len(w.cache.young) + len(w.cache.old); n > 8192 {
		t.Errorf("%d texts are remembered, at most 8192 can be", n)
	}
}

// What is remembered depends on all that it is read by.
func TestCacheKeys(t *testing.T) {
	c := newCache(10)
	text := strings.Repeat("a", 200)
	f := func(kind fieldKind, texts ...string) *field {
		return &field{place{what: messageContent}, kind, texts}
	}
	data := f(jsonField, text)
	data.place.what = messageData
	keys := map[cacheKey]string{}
	for name, k := range map[string]cacheKey{
		"text": c.key(1, f(textField, text), false), "json": c.key(1, f(jsonField, text), false), "history": c.key(1, f(textField, text), true),
		"later": c.key(2, f(textField, text), false), "data": c.key(1, data, false), "other": c.key(1, f(textField, text+"b"), false),
		"name": c.key(1, f(nameField, text), false), "of another process": newCache(10).key(1, f(textField, text), false),
	} {
		if other, is := keys[k]; is {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[k] = name
	}
}
