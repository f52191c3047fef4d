package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bendi/chat"
)

// kwargs are what requests may give to the chat template, by name, each with
// its default as JSON: true or false, a whole number, or a text. What a request
// gives has the type of the default.
type kwargs map[string]json.RawMessage

const (
	kwargsField  = "chat_template_kwargs"
	longestKwarg = 1 << 10 // bytes
)

// with returns the variables of a request's template: the defaults, and in
// their place what the request gives.
func (k kwargs) with(given json.RawMessage) (kwargs, error) {
	if len(given) == 0 || string(given) == "null" {
		return k, nil
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(given, &values) != nil {
		return nil, chat.BadParam(kwargsField, "'%s' must be an object.", kwargsField)
	}
	all := maps.Clone(k)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		normal, known := k[name]
		if !known {
			return nil, k.unknown(name)
		}
		value := bytes.TrimSpace(values[name])
		if string(value) == "null" {
			continue
		}
		field := kwargsField + "." + name
		switch want, have := typeOf(normal), typeOf(value); {
		case want != have:
			return nil, chat.BadParam(field, "'%s' must be %s, but is %s.", field, want, have)
		case len(value) > longestKwarg:
			return nil, chat.BadParam(field, "'%s' has %d bytes; at most %d are allowed.", field, len(value), longestKwarg)
		case bytes.Contains(value, []byte(`\u0000`)):
			return nil, chat.BadParam(field, "'%s' holds a NUL character, which no model can read.", field)
		}
		all[name] = value
	}
	return all, nil
}

// unknown names a variable that requests may not set.
func (k kwargs) unknown(name string) error {
	field, what := kwargsField, "a name of "+fmt.Sprint(len(name))+" bytes"
	if len(name) <= 64 {
		field, what = kwargsField+"."+name, fmt.Sprintf("%q", name)
	}
	may := "nothing may be set for this model; the operator can allow it with template_kwargs"
	if len(k) > 0 {
		may = "there may be " + strings.Join(slices.Sorted(maps.Keys(k)), ", ")
	}
	return chat.Unsupported(field, "'%s' has %s, and %s.", kwargsField, what, may)
}

// typeOf says in words what a JSON value is.
func typeOf(value json.RawMessage) string {
	switch c := bytes.TrimSpace(value); {
	case len(c) == 0:
		return "nothing"
	case c[0] == 't' || c[0] == 'f':
		return "true or false"
	case c[0] == '"':
		return "a text"
	case c[0] == '{':
		return "an object"
	case c[0] == '[':
		return "an array"
	case bytes.ContainsAny(c, ".eE"):
		return "a number with a fraction"
	default:
		return "a whole number"
	}
}

// saysThinking reports whether a request's kwargs say whether to reason.
func saysThinking(given json.RawMessage) bool {
	var values struct {
		Enable *bool `json:"enable_thinking"`
		Think  *bool `json:"thinking"`
	}
	return len(given) > 0 && json.Unmarshal(given, &values) == nil && (values.Enable != nil || values.Think != nil)
}
