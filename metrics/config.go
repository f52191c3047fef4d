package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Config holds the metrics of the configuration and its reloads.
type Config struct {
	reloads *prometheus.CounterVec
	loaded  prometheus.Gauge
	success prometheus.Gauge
}

func newConfig(r prometheus.Registerer) *Config {
	c := &Config{
		reloads: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bendi_config_reloads_total", Help: "Times that the configuration was read again, by what came of it."}, []string{"result"})),
		loaded: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bendi_config_loaded_timestamp_seconds", Help: "When the configuration in force was read and found right."})),
		success: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bendi_config_last_reload_successful", Help: "Whether what the files say is in force: 0 after a reload that was refused."})),
	}
	for _, result := range []string{"ok", "failed"} {
		c.reloads.WithLabelValues(result)
	}
	return c
}

// InForce tells that a configuration is in force as the files say.
func (c *Config) InForce(at time.Time) {
	c.loaded.Set(float64(at.Unix()))
	c.success.Set(1)
}

// Reloaded counts that the configuration was read again.
func (c *Config) Reloaded(at time.Time, ok bool) {
	if !ok {
		c.reloads.WithLabelValues("failed").Inc()
		c.success.Set(0)
		return
	}
	c.reloads.WithLabelValues("ok").Inc()
	c.InForce(at)
}
