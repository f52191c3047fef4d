package filter_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin":          "HTTP belongs to openaicompat",
		"net/http":                          "HTTP belongs to openaicompat",
		"bendi/openaicompat":                "the filter knows requests and events, not how they look on the wire",
		"bendi/inference":                   "what is filtered is a chat.Model, whatever it is",
		"bendi/router":                      "a route is a chat.Model",
		"bendi/config":                      "policies arrive as Go values",
		"github.com/cloudflare/ahocorasick": "the words have an automaton of their own, which knows where they are",
		"gopkg.in/yaml.v3":                  "lexicons are read by package lexicon alone",
	})
}
