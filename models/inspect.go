package models

import (
	"bendi/models/gguf"
)

// An Info is a model file as bendi models list shows it.
type Info struct {
	Path string // of the file
	gguf.Summary
}

// Inspect reads what the GGUF file at path says about itself. Of a model in
// several files it counts the size and the parameters of all.
func Inspect(path string) (Info, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	info := Info{Path: path, Summary: f.Summary()}
	parts, err := f.OpenParts()
	if err != nil {
		return Info{}, err
	}
	for _, p := range parts {
		s := p.Summary()
		info.Size += s.Size
		info.Parameters += s.Parameters
		p.Close()
	}
	return info, nil
}

// CheckModel returns why the file at path cannot be served as a model, or nil.
// It is asked before a worker is started, for llama.cpp may end its process
// over a bad file.
func CheckModel(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.CheckModel()
}

// CheckAdapter returns why the LoRA adapter at path cannot be applied to the
// model at base, or nil.
func CheckAdapter(path, base string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := gguf.Open(base)
	if err != nil {
		return err
	}
	defer b.Close()
	return f.CheckAdapter(b)
}
