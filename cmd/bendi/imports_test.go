package main

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	const ffi = "the gateway loads no foreign library: a fault there would end it"
	deptest.Check(t, map[string]string{
		"github.com/hybridgroup/yzma":  ffi,
		"github.com/jupiterrider/ffi":  ffi,
		"github.com/ebitengine/purego": ffi,
		"bendi/inference/engine":       ffi,
	})
}
