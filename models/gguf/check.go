package gguf

import (
	"errors"
	"fmt"
	"strings"
)

// CheckModel returns why llama.cpp could not run f as a model, everything at
// once, or nil. It opens the other files of a model in several.
func (f *File) CheckModel() error {
	if err := f.checkKind(); err != nil {
		return err // nothing else about it would make sense
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", f.name(), fmt.Errorf(format, args...)))
	}

	arch := f.architecture()
	if arch == "" {
		bad("has no general.architecture; convert the model again")
	} else {
		for _, key := range []string{"context_length", "embedding_length", "block_count"} {
			if n, ok := f.Uint(arch + "." + key); !ok || n == 0 {
				bad("has no %s.%s above 0; convert the model again", arch, key)
			}
		}
	}
	if _, ok := f.String("tokenizer.ggml.model"); !ok {
		bad("has no tokenizer: tokenizer.ggml.model is missing; convert the model again")
	}
	tokens, ok := f.Array("tokenizer.ggml.tokens")
	if !ok || tokens.elem != kindString || tokens.Len == 0 {
		bad("has no vocabulary: tokenizer.ggml.tokens must be an array of strings; convert the model again")
	} else {
		sameLength := func(key string, elem kind) {
			if a, ok := f.Array(key); ok && (a.elem != elem || a.Len != tokens.Len) {
				bad("has %d tokens but %d values of %s in %s, it needs as many of %s; convert the model again", tokens.Len, a.Len, a.elem, key, elem)
			}
		}
		sameLength("tokenizer.ggml.scores", kindFloat32)
		sameLength("tokenizer.ggml.token_type", kindInt32)
		if t := f.Tensor("token_embd.weight"); t != nil && t.Dim(1) != uint64(tokens.Len) {
			bad("has %d tokens but %d rows in token_embd.weight; convert the model again", tokens.Len, t.Dim(1))
		}
	}
	if len(f.Tensors) == 0 {
		bad("has no tensors, it is a vocabulary alone; use the model file")
	}
	parts, err := f.OpenParts()
	closeAll(parts)
	return errors.Join(append(errs, err)...)
}

// checkKind returns what else f is than a model, if it is something else.
func (f *File) checkKind() error {
	kind, _ := f.String("general.type")
	arch := f.architecture()
	what := ""
	switch {
	case f.isAdapter():
		what = "an adapter; name it under adapters of the model it was made for"
	case kind == "mmproj" || arch == "clip":
		what = "a projector for images or sound (mmproj), which needs its language model; name that"
	case arch == "controlvector":
		what = "a control vector, not a model"
	case kind == "imatrix" || arch == "imatrix":
		what = "an importance matrix, which is for quantizing alone"
	case kind != "" && kind != "model":
		what = fmt.Sprintf("of the type %.40q, not a model", kind)
	default:
		return nil
	}
	return fmt.Errorf("%s: is %s", f.name(), what)
}

func (f *File) isAdapter() bool {
	kind, _ := f.String("general.type")
	return kind == "adapter"
}

func (f *File) adapter() *Adapter {
	a := new(Adapter)
	a.Type, _ = f.String("adapter.type")
	a.Alpha, _ = f.Float("adapter.lora.alpha")
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if base, ok := strings.CutSuffix(t.Name, loraA); ok {
			if isEmbedding(base) {
				a.Rank = max(a.Rank, t.Dim(0))
			} else {
				a.Rank = max(a.Rank, t.Dim(1))
			}
		}
	}
	return a
}

const (
	loraA = ".lora_a"
	loraB = ".lora_b"
)

// isEmbedding reports whether base names the table of token vectors, whose
// low-rank pair is laid out the other way round.
func isEmbedding(base string) bool { return strings.HasSuffix(base, "token_embd.weight") }

// CheckAdapter returns why llama.cpp could not apply f, a LoRA adapter, to
// base, everything at once, or nil. It checks more than llama.cpp does: what
// only fails, and ends the process, when the first token is computed.
func (f *File) CheckAdapter(base *File) error {
	if !f.isAdapter() {
		return fmt.Errorf("%s: is not an adapter: its general.type is not adapter", f.name())
	}
	if typ, _ := f.String("adapter.type"); typ != "lora" {
		return fmt.Errorf("%s: is an adapter of the type %.40q; only lora can be used", f.name(), typ)
	}
	if have, want := f.architecture(), base.architecture(); have != want {
		return fmt.Errorf("%s: was made for the architecture %.40q, %s has %.40q; it needs the model it was trained on", f.name(), have, base.name(), want)
	}
	parts, err := base.OpenParts()
	defer closeAll(parts)
	if err != nil {
		return err
	}
	find := func(name string) *Tensor {
		for _, file := range append([]*File{base}, parts...) {
			if t := file.Tensor(name); t != nil {
				return t
			}
		}
		return nil
	}

	var errs []error
	pairs, mismatch := 0, false
	for i := range f.Tensors {
		t := &f.Tensors[i]
		name, isA := strings.CutSuffix(t.Name, loraA)
		other, isB := strings.CutSuffix(t.Name, loraB)
		var err error
		switch {
		case isA:
			pairs++
			if b := f.Tensor(name + loraB); b == nil {
				err = fmt.Errorf("has %s but no %s", t.Name, name+loraB)
			} else if w := find(name); w == nil {
				err = fmt.Errorf("changes %s, which %s does not have", name, base.name())
				mismatch = true
			} else if err = checkPair(w, t, b); err != nil {
				mismatch = true
			}
		case isB:
			if f.Tensor(other+loraA) == nil {
				err = fmt.Errorf("has %s but no %s", t.Name, other+loraA)
			}
		case strings.HasSuffix(t.Name, "_norm.weight"):
			// llama.cpp passes over these.
		default:
			err = fmt.Errorf("has the tensor %s, which is no part of a LoRA adapter", t.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name(), err))
		}
	}
	if len(f.Tensors) == 0 || pairs == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: has no LoRA tensors", f.name()))
	}
	const most = 5 // a wrong base model makes every tensor wrong
	if left := len(errs) - most; left > 1 {
		errs = append(errs[:most], fmt.Errorf("%s: %d tensors more do not fit", f.name(), left))
	}
	if mismatch {
		errs = append(errs, fmt.Errorf("%s: it needs the model it was trained on, which %s does not seem to be", f.name(), base.name()))
	}
	return errors.Join(errs...)
}

// checkPair checks the shapes of a low-rank pair against the tensor it
// changes.
func checkPair(w, a, b *Tensor) error {
	in, out, rankA, rankB := a.Dim(0), b.Dim(1), a.Dim(1), b.Dim(0)
	wantIn, wantOut := w.Dim(0), w.Dim(1)
	if isEmbedding(w.Name) {
		in, out, rankA = a.Dim(1), b.Dim(1), a.Dim(0)
		wantIn, wantOut = w.Dim(1), w.Dim(0)
	}
	switch {
	case in != wantIn || out != wantOut:
		return fmt.Errorf("changes %s from %d to %d values, which in the model is from %d to %d", w.Name, in, out, wantIn, wantOut)
	case rankA != rankB || rankA == 0:
		return fmt.Errorf("has a pair for %s of the ranks %d and %d, which must be the same", w.Name, rankA, rankB)
	}
	for axis := 2; axis < maxDims; axis++ {
		if a.Dim(axis) != w.Dim(axis) || b.Dim(axis) != w.Dim(axis) {
			return fmt.Errorf("has %d and %d values on axis %d of the pair for %s, the model has %d", a.Dim(axis), b.Dim(axis), axis+1, w.Name, w.Dim(axis))
		}
	}
	return nil
}
