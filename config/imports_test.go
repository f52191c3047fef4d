package config_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	const lib = "github.com/goccy/go-yaml"
	deptest.StandardLibraryOnly(t, "bendi/access", "bendi/models/load", "bendi/internal/faults", "bendi/internal/spelling",
		"bendi/experiment/metric", "bendi/experiment/param", "bendi/experiment/stats", "bendi/router", "bendi/chat", // what may leave by a route is checked as requests are
		lib, lib+"/ast", lib+"/lexer", lib+"/parser", lib+"/printer", lib+"/scanner", lib+"/token",
		lib+"/internal/errors", lib+"/internal/format")
}
