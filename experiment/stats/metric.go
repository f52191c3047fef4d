package stats

// A Metric is something that is observed once for each request, or fewer times.
type Metric struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Better Better `json:"better"`
	Unit   string `json:"unit,omitempty"` // such as "ms"; empty: a bare number or a share
}

// A Kind says how the observations of a metric are summed up.
type Kind string

const (
	// Mean is for any number. Arms are compared by the difference of their means.
	Mean Kind = "mean"
	// LogMean is for positive numbers with a long tail, such as durations. Its
	// value is the geometric mean; arms are compared by the ratio of theirs.
	LogMean Kind = "log_mean"
	// Rate is for 0 and 1, such as an error. Arms are compared by the difference
	// of their shares.
	Rate Kind = "rate"
	// Vote is for pairwise votes between an arm and the control, kept in the arm's
	// tally alone: 1 where the arm won, 0 where the control did, 0.5 for a tie. It
	// is compared with one half.
	Vote Kind = "vote"
)

// Better says which way of a metric is the good one.
type Better string

const (
	Higher  Better = "higher"
	Lower   Better = "lower"
	Neither Better = "neither" // a difference is worth knowing and neither good nor bad
)
