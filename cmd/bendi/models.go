package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/models"
	"bendi/models/fit"
)

func (p *program) modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: p.say("Look at the configured models", "查看已配置的模型"),
	}
	var output string
	listCommand := &cobra.Command{
		Use:   "list",
		Short: p.say("List the configured models and their adapters", "列出已配置的模型及其适配器"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, home, err := p.load(nil)
			if err != nil {
				return err
			}
			seen, _ := look(cmd.Context(), cfg, home) // without libraries there is no GPU to use
			return p.listModels(cfg, seen, running(cmd.Context(), cfg), output)
		},
	}
	outputFlag(listCommand, p, &output)
	cmd.AddCommand(listCommand)
	return cmd
}

// A listing is what `bendi models list` says of a model.
type listing struct {
	ID         string `json:"id"`
	Path       string `json:"path"`
	What       string `json:"what,omitempty"` // such as "qwen2 6.7M Q8_0"
	Parameters uint64 `json:"parameters,omitempty"`
	SizeBytes  int64  `json:"size_bytes,omitempty"`
	Context    uint64 `json:"context,omitempty"` // tokens the model was trained with
	Rank       uint64 `json:"rank,omitempty"`    // of a LoRA adapter

	MemoryBytes    int64 `json:"memory_bytes,omitempty"`     // that it takes when it is loaded as configured, an estimate
	GPUMemoryBytes int64 `json:"gpu_memory_bytes,omitempty"` // that it takes of GPUs then
	GPULayers      int   `json:"gpu_layers,omitempty"`       // of its layers, that lie on GPUs then

	Load  string `json:"load,omitempty"`  // when it is loaded: start or demand
	State string `json:"state,omitempty"` // as the server that runs says; empty: none does

	Error string `json:"error,omitempty"`
}

// list reads the file of a model.
func list(id, path string) listing {
	info, err := models.Inspect(path)
	if err != nil {
		return listing{ID: id, Path: path, Error: err.Error()}
	}
	l := listing{ID: id, Path: path, What: info.String(), Parameters: info.Parameters, SizeBytes: info.Size, Context: info.Context}
	if info.Adapter != nil {
		l.Rank = info.Adapter.Rank
	}
	return l
}

// memory says in words what the model takes when it is loaded.
func (l listing) memory() string {
	switch {
	case l.MemoryBytes == 0:
		return "-" // an adapter, which its model counts
	case l.GPUMemoryBytes > 0:
		return fmt.Sprintf("%s + %s GPU", bytesText(l.MemoryBytes), bytesText(l.GPUMemoryBytes))
	default:
		return bytesText(l.MemoryBytes)
	}
}

// running returns the states of the models of the server that listens at an
// address, or nothing.
func running(ctx context.Context, cfg *config.Config) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	res, err := askReady(ctx, cfg)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	var body struct {
		Models map[string]string `json:"models"`
	}
	json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body) // what is no answer of ours says nothing
	return body.Models
}

// listModels prints every model, the damaged ones too, and then says that
// there are some.
func (p *program) listModels(cfg *config.Config, seen survey, states map[string]string, output string) error {
	var all []listing
	for _, id := range slices.Sorted(maps.Keys(cfg.Models)) {
		m := cfg.Models[id]
		l := list(id, string(m.Path))
		l.Load, l.State = string(m.Load), states[id]
		if e, err := fit.Measure(plan(m), seen.gpus()); err == nil {
			l.MemoryBytes, l.GPUMemoryBytes, l.GPULayers = e.Host.Total(), e.GPU.Total(), e.GPULayers
		} else if l.Error == "" {
			l.Error = err.Error()
		}
		all = append(all, l)
		for _, name := range slices.Sorted(maps.Keys(m.Adapters)) {
			all = append(all, list(id+":"+name, string(m.Adapters[name])))
		}
	}
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(all); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tWHAT\tSIZE\tCONTEXT\tMEMORY\tLOAD\tSTATE\tFILE")
		for _, m := range all {
			if m.Error != "" {
				fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t-\t%s\n", m.ID, m.Path)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.What, bytesText(m.SizeBytes), contextText(m.Context), m.memory(),
				cmp.Or(m.Load, "-"), cmp.Or(m.State, "-"), m.Path)
		}
		w.Flush()
	}
	var bad bool
	for _, m := range all {
		if m.Error != "" {
			bad = true
			fmt.Fprintf(p.stderr, "bendi: %s: %s\n", m.ID, m.Error)
		}
	}
	if bad {
		return exitError{code: exitProblems}
	}
	return nil
}

func contextText(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
