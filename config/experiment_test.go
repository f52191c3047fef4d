package config

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"bendi/experiment/metric"
)

// The schema offers the metrics that there are.
func TestSchemaKnowsTheMetrics(t *testing.T) {
	text, err := os.ReadFile("bendi.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Experiments struct {
				Each struct {
					Properties struct {
						Decide struct {
							Items struct {
								Enum []string `json:"enum"`
							} `json:"items"`
						} `json:"decide"`
					} `json:"properties"`
				} `json:"additionalProperties"`
			} `json:"experiments"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if got, want := schema.Properties.Experiments.Each.Properties.Decide.Items.Enum, metric.Names(); !slices.Equal(got, want) {
		t.Errorf("the schema has %q, want %q", got, want)
	}
}
