package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/hybridgroup/yzma/pkg/llama"
	"github.com/hybridgroup/yzma/pkg/loader"
	"github.com/jupiterrider/ffi"
)

// LibraryVersion is the release of llama.cpp whose structs the binding mirrors.
// Another release may lay them out differently, which corrupts memory silently.
const LibraryVersion = "0.5.0"

var library struct {
	sync.Mutex
	dir     string
	version string
}

// LoadLibrary opens the llama.cpp libraries in dir, once for the life of the
// process, and checks that they are the release that the binding was made for.
// It returns the version they report.
func LoadLibrary(dir string) (version string, err error) {
	library.Lock()
	defer library.Unlock()
	if library.dir != "" {
		if library.dir != dir {
			return "", fmt.Errorf("llama.cpp is already loaded from %s; a process loads it once", library.dir)
		}
		return library.version, nil
	}
	for _, name := range []string{"ggml", "ggml-base", "llama"} {
		path := loader.GetLibraryFilename(dir, name)
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("the llama.cpp library %s is missing: run `make build`, or set engine.library to the directory that holds it", path)
		}
	}
	if version, err = libraryVersion(dir); err != nil {
		return "", err
	}
	if err := llama.Load(dir); err != nil {
		return "", fmt.Errorf("llama.cpp in %s reports version %s but lacks a function that release has: %w", dir, version, err)
	}
	if err := checkABI(); err != nil {
		return "", fmt.Errorf("llama.cpp in %s reports version %s, yet %w; use an unmodified build of release %s", dir, version, err, LibraryVersion)
	}
	llama.LogSet(llamaLog())
	llama.BackendInit()
	if err := llama.GGMLBackendLoadAllFromPath(dir); err != nil {
		return "", fmt.Errorf("loading the compute backends in %s: %w", dir, err)
	}
	if llama.GGMLBackendDeviceCount() == 0 {
		return "", fmt.Errorf("no compute backend in %s runs on this machine: libggml-cpu-*.so are missing beside libggml.so", dir)
	}
	library.dir, library.version = dir, version
	return version, nil
}

// libraryVersion asks libllama for its version before any struct passes
// between it and us.
func libraryVersion(dir string) (string, error) {
	path := filepath.Join(dir, "libllama.so")
	lib, err := loader.LoadLibrary(dir, "llama")
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", path, err)
	}
	fn, err := lib.Prep("llama_version", &ffi.TypePointer)
	if err != nil {
		return "", fmt.Errorf("%s does not say its version, so it is not llama.cpp %s, which this bendi-engine was built for: run `make build`, or set engine.library to that release", path, LibraryVersion)
	}
	var cstr *byte
	fn.Call(unsafe.Pointer(&cstr))
	if cstr == nil {
		return "", fmt.Errorf("%s reports no version", path)
	}
	version := goString(cstr)
	if release, _, _ := strings.Cut(version, "-"); release != LibraryVersion {
		return "", fmt.Errorf("%s is llama.cpp %s, this bendi-engine was built for %s: run `make build`, or set engine.library to that release", path, version, LibraryVersion)
	}
	return version, nil
}

// checkABI compares defaults that llama.cpp fills into its parameter structs
// with what this release is known to fill in. A field that has moved shows.
func checkABI() error {
	m, c := llama.ModelDefaultParams(), llama.ContextDefaultParams()
	switch {
	case m.UseExtraBufts != 1 || m.VocabOnly != 0 || m.NoAlloc != 0 || m.KvOverrides != 0:
		return errors.New("llama_model_params has another layout")
	case c.NCtx != 512 || c.NBatch != 2048 || c.NUbatch != 512 || c.NSeqMax != 1 ||
		c.TypeK != llama.GGMLTypeF16 || c.TypeV != llama.GGMLTypeF16 ||
		c.Offload_kqv != 1 || c.NSamplers != 0 || c.CtxOther != 0:
		return errors.New("llama_context_params has another layout")
	}
	return nil
}

func goString(p *byte) string {
	var b []byte
	for ; *p != 0; p = (*byte)(unsafe.Add(unsafe.Pointer(p), 1)) {
		b = append(b, *p)
	}
	return string(b)
}
