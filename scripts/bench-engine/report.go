package main

import (
	"fmt"
	"io"

	table "bendi/internal/benchtable"
)

// A report is everything that a run gave, as saved.
type report struct {
	Machine table.Machine `json:"machine"`
	Shapes  []string      `json:"shapes"`
	Threads int           `json:"threads"`
	Rounds  int           `json:"rounds"`
	Quick   bool          `json:"quick"`
	Llama   string        `json:"llama_server,omitempty"` // its version, where one was given
	Rows    []table.Row   `json:"rows"`
	Skipped []string      `json:"skipped,omitempty"` // what was not measured, and why
	Seconds table.Figure  `json:"seconds"`
}

// print writes the table.
func (r *report) print(w io.Writer) {
	table.Print(w, r.Rows)
	for _, s := range r.Skipped {
		fmt.Fprintln(w, "not measured:", s)
	}
}
