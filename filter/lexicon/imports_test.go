package lexicon_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	const lib = "github.com/goccy/go-yaml"
	deptest.StandardLibraryOnly(t, "bendi/filter/find", "bendi/filter/fold", "bendi/filter/match", "bendi/internal/faults", "bendi/internal/spelling",
		lib, lib+"/ast", lib+"/lexer", lib+"/parser", lib+"/printer", lib+"/scanner", lib+"/token",
		lib+"/internal/errors", lib+"/internal/format")
}
