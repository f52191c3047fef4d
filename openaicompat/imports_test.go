package openaicompat_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"bendi/inference":    "what answers is a chat.Model, whatever it is",
		"bendi/router":       "a route is a chat.Model that happens to list its models",
		"bendi/access/limit": "what counts is whatever has Reserve",
		"bendi/access/redis": "likewise",
		"bendi/access/token": "who a token is of is whatever has Check",
		"bendi/config":       "options arrive as Go values",
	})
}
