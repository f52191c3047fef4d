package watch

import "time"

// A View is an engine at one moment.
type View struct {
	Taken     time.Time `json:"taken"`
	Slots     int       `json:"slots"`     // sequences that can run at once
	Waiting   int       `json:"waiting"`   // sequences for a slot
	Preempted int64     `json:"preempted"` // sequences that had to give way, since the start
	Cache     Cache     `json:"cache"`
	Sequences []Slot    `json:"sequences"` // that run, in order of arrival
}

// A Cache is the KV cache, in cells of one token each.
type Cache struct {
	Cells    int `json:"cells"`    // there are
	Running  int `json:"running"`  // held by sequences that run
	Kept     int `json:"kept"`     // held by kept prefixes alone, and free for who needs them
	Prefixes int `json:"prefixes"` // kept

	Checkpoints     int   `json:"checkpoints"`      // copies of the beginnings of prompts, beside the cache
	CheckpointBytes int64 `json:"checkpoint_bytes"` // that they take
}

// A Slot is a sequence that runs: one choice of a request.
type Slot struct {
	ID        int    `json:"id"`    // of the sequence in llama.cpp
	Model     string `json:"model"` // with the adapter
	State     State  `json:"state"`
	Prompt    int    `json:"prompt_tokens"`
	Cached    int    `json:"cached_tokens"`    // of the prompt, when it began
	Generated int    `json:"generated_tokens"` // so far
	Budget    int    `json:"budget"`           // most tokens to generate
	Age       int64  `json:"age_ms"`           // since it arrived
}

// A State is what a running sequence does.
type State string

const (
	Prefill State = "prefill" // its prompt is being decoded
	Decode  State = "decode"  // it is being answered
	Paused  State = "paused"  // its reader is slow
)
