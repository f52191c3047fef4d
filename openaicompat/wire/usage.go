package wire

import "encoding/json"

// maxTokens is more than any answer has. Sums of such numbers do not overflow.
const maxTokens = 1 << 40

// UnmarshalJSON reads what a server says was used. Where that cannot be meant,
// the usage is unknown: it must neither end an answer that is whole nor be
// booked.
func (u *usageBody) UnmarshalJSON(data []byte) error {
	type plain usageBody // without this method
	err := json.Unmarshal(data, (*plain)(u))
	u.unknown = err != nil || u.Completion < 0 || u.Completion > maxTokens
	for _, n := range []*int{&u.Prompt, &u.PromptDetails.Cached, &u.Details.Reasoning} {
		if *n = max(*n, 0); *n > maxTokens {
			u.unknown = true
		}
	}
	return nil
}
