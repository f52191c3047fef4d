package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/models"
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
		RunE: func(*cobra.Command, []string) error {
			cfg, _, _, err := p.load(nil)
			if err != nil {
				return err
			}
			return p.listModels(cfg, output)
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
	Error      string `json:"error,omitempty"`
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

// listModels prints every model, the damaged ones too, and then says that
// there are some.
func (p *program) listModels(cfg *config.Config, output string) error {
	var all []listing
	for _, id := range slices.Sorted(maps.Keys(cfg.Models)) {
		m := cfg.Models[id]
		all = append(all, list(id, string(m.Path)))
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
		fmt.Fprintln(w, "ID\tWHAT\tSIZE\tCONTEXT\tFILE")
		for _, m := range all {
			if m.Error != "" {
				fmt.Fprintf(w, "%s\t-\t-\t-\t%s\n", m.ID, m.Path)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.What, bytesText(m.SizeBytes), contextText(m.Context), m.Path)
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
