package metrics

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"bendi/inference/engine":      "the gateway has metrics too, and loads no foreign library",
		"bendi/inference/llamacpp":    "a worker is whatever has Get",
		"github.com/hybridgroup/yzma": "the gateway loads no foreign library",
		"bendi/access/limit":          "keys are no labels",
		"bendi/access/redis":          "keys are no labels",
		"bendi/access/token":          "keys are no labels",
	})
}
