package metrics

import (
	"testing"

	"bendi/experiment"
)

func TestExperiments(t *testing.T) {
	g := NewGateway("test", nil)
	g.Experiments.Read(func() []experiment.Status {
		return []experiment.Status{{Name: "x", Route: "/v1/chat", State: experiment.Running, Arms: []experiment.ArmStatus{{Name: "a"}, {Name: "b", Stopped: "errors"}}}}
	})
	g.Experiments.Counted("x", "a", "success")
	g.Experiments.Excluded("x", experiment.NoUnit)
	g.Experiments.Stopped("x", "b", "errors")
	want(t, read(t, g.Handler()),
		`bendi_experiment_requests_total{arm="a",experiment="x",outcome="success"} 1`,
		`bendi_experiment_excluded_total{experiment="x",reason="no_unit"} 1`,
		`bendi_experiment_guard_stops_total{arm="b",experiment="x",guard="errors"} 1`,
		`bendi_experiment_arm_stopped{arm="a",experiment="x"} 0`,
		`bendi_experiment_arm_stopped{arm="b",experiment="x"} 1`,
		`bendi_experiment_running{experiment="x",route="/v1/chat"} 1`,
	)
}
