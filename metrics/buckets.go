package metrics

// The bounds of vLLM's histograms, so that its dashboards fit ours. They are in
// seconds.
var (
	firstTokenBuckets = []float64{
		.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
	}
	tokenBuckets   = []float64{.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	latencyBuckets = []float64{
		.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
	}
	batchBuckets = []float64{1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384} // tokens
)

// stepBuckets are ours: a step of a small model takes less than a millisecond,
// one of a large model with a long prompt may take seconds.
var stepBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// heldBuckets are bytes: a Chinese character has three.
var heldBuckets = []float64{0, 3, 6, 9, 12, 18, 24, 48, 96, 192, 384, 768, 1536}
