package main

import table "bendi/internal/benchtable"

// A report is everything that a run gave, as saved.
type report struct {
	Machine table.Machine `json:"machine"`
	Turns   int           `json:"turns"`
	Quick   bool          `json:"quick"`
	Rows    []table.Row   `json:"rows"`
}

func (r *report) add(suite, what string, value float64, unit string, must *table.Target, note string) {
	r.Rows = append(r.Rows, table.Row{Suite: suite, What: what, Unit: unit, Must: must, Note: note}.Alone(value))
}

func (r *report) compare(suite, what string, value float64, unit, against string, other float64, must *table.Target, note string) {
	row := table.Row{Suite: suite, What: what, Unit: unit, Against: against, Must: must, Note: note}
	r.Rows = append(r.Rows, row.Compared([]table.Pair{{table.Figure(value), table.Figure(other)}}))
}
