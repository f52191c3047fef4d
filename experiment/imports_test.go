package experiment_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"net/http":                 "HTTP belongs to openaicompat",
		"bendi/inference":          "an arm is a chat.Model",
		"bendi/router":             "an arm is a chat.Model, and says itself what it may be told",
		"bendi/config":             "a plan comes from cmd/bendi",
	})
}
