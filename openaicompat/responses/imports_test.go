package responses_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/chat", "bendi/openaicompat/body", "bendi/openaicompat/wire")
	deptest.Check(t, map[string]string{
		"net/http": "the codec knows bodies alone; connections belong to its callers",
	})
}
