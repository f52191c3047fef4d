package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A LinkState is how the links to a relay are. Its counts are since the links
// were first made.
type LinkState struct {
	Name, Relay          string // of the configuration, and host:port
	Links, Want, Streams int
	RTT                  time.Duration
	Frames, Duplicates   uint64
	Useful               uint64 // duplicates that came first
	Late                 uint64 // frames of which it took long to be told that they came
	Repeated             uint64 // words that went once more with the next ones
	Rescued, Resumed     uint64
	Backlog              int64 // bytes
	Drains               bool  // the relay is shutting down
}

// Links holds the metrics of links. All its labels come from the configuration.
type Links struct{ states func() []LinkState }

func newLinks(r prometheus.Registerer) *Links { return register(r, new(Links)) }

// Read has the state of links read from a function whenever it is asked for. It
// is called once, before anything is served.
func (l *Links) Read(states func() []LinkState) { l.states = states }

var linkLabels = []string{"name", "relay"}

var (
	linkUp      = prometheus.NewDesc("bendi_link_connections", "Links to a relay that are there.", linkLabels, nil)
	linkWant    = prometheus.NewDesc("bendi_link_connections_wanted", "Links to a relay that should be there.", linkLabels, nil)
	linkStreams = prometheus.NewDesc("bendi_link_requests_active", "Requests on their way over the links to a relay.", linkLabels, nil)
	linkRTT     = prometheus.NewDesc("bendi_link_round_trip_seconds", "Round trip of the quickest link to a relay.", linkLabels, nil)
	linkBacklog = prometheus.NewDesc("bendi_link_backlog_bytes", "Bytes sent or waiting of which the relay has not told.", linkLabels, nil)
	linkUseful  = prometheus.NewDesc("bendi_link_second_copies_first_total", "Frames whose second copy the relay had before the first.", linkLabels, nil)
	linkLate    = prometheus.NewDesc("bendi_link_frames_late_total", "Frames of which it took long to be told that they came, mostly since a packet was lost.", linkLabels, nil)
	linkRepeats = prometheus.NewDesc("bendi_link_words_repeated_total", "Words that went once more in the frame of the next one.", linkLabels, nil)
	linkDrains  = prometheus.NewDesc("bendi_link_draining", "Whether the relay is shutting down, and wants no further requests.", linkLabels, nil)
	linkFrames  = prometheus.NewDesc("bendi_link_frames_total", "Frames sent to a relay: first copies, second copies, those sent once more because a link kept silent (rescued) or ended (resumed).", append(linkLabels, "kind"), nil)
)

// Describe tells which metrics there are.
func (*Links) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{linkUp, linkWant, linkStreams, linkRTT, linkBacklog, linkDrains, linkUseful, linkLate, linkRepeats, linkFrames} {
		to <- d
	}
}

// one is 1 for what is so.
func one(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// Collect tells how the links are at the moment.
func (l *Links) Collect(to chan<- prometheus.Metric) {
	if l.states == nil {
		return
	}
	for _, s := range l.states() {
		for d, value := range map[*prometheus.Desc]float64{
			linkUp: float64(s.Links), linkWant: float64(s.Want), linkStreams: float64(s.Streams), linkRTT: s.RTT.Seconds(), linkBacklog: float64(s.Backlog), linkDrains: one(s.Drains),
		} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, s.Name, s.Relay)
		}
		for d, n := range map[*prometheus.Desc]uint64{linkUseful: s.Useful, linkLate: s.Late, linkRepeats: s.Repeated} {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), s.Name, s.Relay)
		}
		first := s.Frames - min(s.Frames, s.Duplicates+s.Rescued+s.Resumed)
		for kind, n := range map[string]uint64{"first": first, "second": s.Duplicates, "rescued": s.Rescued, "resumed": s.Resumed} {
			to <- prometheus.MustNewConstMetric(linkFrames, prometheus.CounterValue, float64(n), s.Name, s.Relay, kind)
		}
	}
}
