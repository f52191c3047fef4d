package life

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// passed are the variables of the gateway's environment that each process gets:
// what a program needs to find its libraries, its language, its GPU and its
// caches. The rest may hold keys.
var passed = struct{ names, prefixes []string }{
	[]string{"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME"},
	[]string{"LC_", "GGML_", "OMP_", "GOMP_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "VK_"},
}

// Environment picks from the gateway's environment what a process gets, and the
// variables that more names.
func Environment(all []string, more ...string) []string {
	var env []string
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(passed.names, name) || slices.Contains(more, name) ||
			slices.ContainsFunc(passed.prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			env = append(env, entry)
		}
	}
	return env
}

// maxSocketPath is how many bytes the path of a unix socket may have: the
// smallest sun_path there is has 104, with the zero byte.
const maxSocketPath = 103

// Socket returns where in dir a process can have a socket of that name: in a
// folder of its own, which only this user may enter. Leave removes that.
func Socket(dir, name string) (path string, leave func(), err error) {
	own, err := os.MkdirTemp(dir, "bendi-")
	if err != nil {
		return "", nil, fmt.Errorf("making a folder for the socket: %w", err)
	}
	path = filepath.Join(own, name)
	if len(path) > maxSocketPath {
		os.Remove(own)
		return "", nil, fmt.Errorf("the socket %s would have a path of %d bytes, and the system allows %d: set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path than %s", path, len(path), maxSocketPath, dir)
	}
	return path, func() { os.RemoveAll(own) }, nil
}
