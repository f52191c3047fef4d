package grammar

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the grammars in testdata")

// TestGolden: the grammars of some schemas, to be read in review. A file of
// the archive is a schema, the next one its grammar or error.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out []txtar.File
			for _, f := range ar.Files {
				if !strings.HasSuffix(f.Name, ".json") {
					continue
				}
				gbnf, err := FromSchema(f.Data)
				if err != nil {
					gbnf = "error: " + err.Error() + "\n"
				}
				out = append(out, f, txtar.File{Name: strings.TrimSuffix(f.Name, ".json") + ".gbnf", Data: []byte(gbnf)})
			}
			got := txtar.Format(&txtar.Archive{Comment: ar.Comment, Files: out})
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case bytes.Equal(got, want):
			case *update:
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s is out of date; run go test -update and read the change. Got:\n%s", file, got)
			}
		})
	}
}
