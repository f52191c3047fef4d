package wire

import (
	"reflect"
	"testing"

	"bendi/chat"
)

// Strings are written as encoding/json writes them.
func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "你好", "a\"b\\c/<>&\n\r\t\b\f\x00\x1f\x7f", "\u2028x\u2029", "\xff\xe4\xbd", "😀\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := marshal(s)
		if got := appendQuoted(nil, s); err != nil || string(got) != string(want) {
			t.Errorf("%q is %s, want %s (%v)", s, got, want, err)
		}
	})
}

// A frame that is written quickly is the one that encoding/json would write.
func FuzzPlainFrames(f *testing.F) {
	f.Add("chatcmpl-1", "m", "你好", true, true, 0)
	f.Add("a\"b", "m\n", "\u2028<x>", false, false, 3)
	f.Fuzz(func(t *testing.T, id, model, text string, usage, reasoning bool, choice int) {
		if choice = choice & 7; text == "" {
			return
		}
		ev := chat.Event{Choice: choice, Text: text}
		if reasoning {
			ev = chat.Event{Choice: choice, Reasoning: text}
		}
		quick := &Stream{Head: Head{ID: id, Model: model, Created: 1764000000}, IncludeUsage: usage}
		quick.Frames(ev)
		if !quick.isPlain(&ev) {
			t.Fatal("the second piece of a text is not plain")
		}
		got := string(quick.Frames(ev))
		slow := &Stream{Head: quick.Head, IncludeUsage: usage}
		slow.Frames(ev)
		slow.buf.Reset()
		slow.choice(choiceBody{Index: choice, Delta: deltaOf(&ev)})
		if want := slow.buf.String(); got != want {
			t.Errorf("%+v is\n%s, want\n%s", ev, got, want)
		}
	})
}

// What is not text alone is written by encoding/json.
func TestPlainEvents(t *testing.T) {
	s := &Stream{}
	s.Frames(chat.Event{Text: "x"})
	want := map[string]bool{"Text": true, "Reasoning": true, "Choice": true, "Backend": true, "Arm": true, "Restored": true, "Memory": true}
	for i := range reflect.TypeFor[chat.Event]().NumField() {
		ev := chat.Event{Text: "x"}
		field := reflect.TypeFor[chat.Event]().Field(i)
		v := reflect.ValueOf(&ev).Elem().Field(i)
		switch v.Kind() {
		case reflect.String:
			if field.Name == "Reasoning" {
				ev.Text = ""
			}
			v.SetString("x")
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		if got := s.isPlain(&ev); got != want[field.Name] {
			t.Errorf("with %s: plain is %v, want %v", field.Name, got, want[field.Name])
		}
	}
}
