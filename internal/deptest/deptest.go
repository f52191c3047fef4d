// Package deptest keeps the layering of the house: a package's test lists what
// the package must not depend on, each with the reason.
package deptest

import (
	"os/exec"
	"strings"
	"testing"
)

// Check fails t for each dependency of the package in the current directory,
// however far away, that banned has an entry for. A key bans the import path
// and everything below it; its value is the reason.
func Check(t *testing.T, banned map[string]string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for path, reason := range banned {
			if dep == path || strings.HasPrefix(dep, path+"/") {
				t.Errorf("imports %s: %s", dep, reason)
			}
		}
	}
}

// StandardLibraryOnly fails t when the package in the current directory
// depends on anything but the standard library and the import paths given.
func StandardLibraryOnly(t *testing.T, except ...string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	self, err := exec.Command("go", "list", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := map[string]bool{strings.TrimSpace(string(self)): true}
	for _, path := range except {
		allowed[path] = true
	}
	for dep := range strings.Lines(string(out)) {
		if dep = strings.TrimSpace(dep); dep != "" && !allowed[dep] {
			t.Errorf("imports %s: this package stands on the standard library alone", dep)
		}
	}
}
