package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// HomeVariable is the environment variable that overrides where an
// installation is looked for.
const HomeVariable = "BENDI_HOME"

// File names of the bundled demo model and its fine-tuned adapter.
const (
	DemoModel   = "bendi-demo-q8_0.gguf"
	DemoAdapter = "bendi-demo-service-lora.gguf"
)

// A Home is the folder of an installation: bin with the programs, bin/lib with
// llama.cpp's shared libraries, perhaps bin/lib-cuda with those for NVIDIA's
// GPUs, and models/demo.
type Home struct {
	// Dir is the folder itself.
	Dir string
	// Bin is the folder of the programs.
	Bin string
}

// FindHome returns the home of the running program: the folder that BENDI_HOME
// names, or else the one above the folder the program is in. It does not look
// whether anything is there; the methods of Home do, each for what it is asked.
func FindHome() (Home, error) {
	if dir := os.Getenv(HomeVariable); dir != "" {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return Home{}, fmt.Errorf("%s: %w", HomeVariable, err)
		}
		return Home{Dir: dir, Bin: filepath.Join(dir, "bin")}, nil
	}
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return Home{}, fmt.Errorf("finding where bendi is installed: %w; name the folder with %s", err, HomeVariable)
	}
	bin := filepath.Dir(exe)
	return Home{Dir: filepath.Dir(bin), Bin: bin}, nil
}

// Worker returns the path of bendi-engine, the program that runs a model.
func (h Home) Worker() (string, error) {
	return look("the worker program", filepath.Join(h.Bin, "bendi-engine"), false, "make build")
}

// Library returns the folder of llama.cpp's shared libraries.
func (h Home) Library() (string, error) {
	return look("the folder of llama.cpp's shared libraries", filepath.Join(h.Bin, "lib"), true, "make build")
}

// CUDABackend is the file that llama.cpp computes on NVIDIA's GPUs with.
const CUDABackend = "libggml-cuda.so"

// CUDALibrary returns the folder of llama.cpp's shared libraries for CUDA, or
// nothing where they are not installed.
func (h Home) CUDALibrary() string {
	dir := filepath.Join(h.Bin, "lib-cuda")
	if _, err := os.Stat(filepath.Join(dir, CUDABackend)); err != nil {
		return ""
	}
	return dir
}

// DemoDir returns the folder of the bundled demo model.
func (h Home) DemoDir() string { return filepath.Join(h.Dir, "models", "demo") }

// DemoModel returns the path of the bundled demo model.
func (h Home) DemoModel() (string, error) {
	return look("the bundled demo model", filepath.Join(h.DemoDir(), DemoModel), false, "git checkout models/demo")
}

// DemoAdapter returns the path of the demo model's fine-tuned adapter.
func (h Home) DemoAdapter() (string, error) {
	return look("the adapter of the bundled demo model", filepath.Join(h.DemoDir(), DemoAdapter), false, "git checkout models/demo")
}

// look returns path if it is a folder or a file, as wanted. Its error names
// the path and the next command.
func look(what, path string, dir bool, command string) (string, error) {
	info, err := os.Stat(path)
	problem := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem = "was not found"
	case err != nil:
		return "", fmt.Errorf("%s: %w", what, err)
	case dir && !info.IsDir():
		problem = "is not a folder"
	case !dir && !info.Mode().IsRegular():
		problem = "is not a file"
	default:
		return path, nil
	}
	return "", fmt.Errorf("%s %s: %s; run: %s, or name the folder of the installation with %s", what, problem, path, command, HomeVariable)
}
