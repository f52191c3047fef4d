package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// A Ledger says what is kept of requests that have ended.
type Ledger struct {
	Store        LedgerStore      `yaml:"store"`
	WhenFull     FullPolicy       `yaml:"when_full"` // while records cannot be written
	Sync         LedgerSync       `yaml:"sync"`
	SyncInterval Duration         `yaml:"sync_interval"` // until a record is on the disk
	MaxFile      Size             `yaml:"max_file"`      // after which another file is begun
	RetainDays   int              `yaml:"retain_days"`   // after which a file is removed; 0: never
	KeyFile      Path             `yaml:"key_file"`      // of the hashes; empty: they have none
	Prices       map[string]Price `yaml:"prices"`        // by model
	Text         LedgerText       `yaml:"text"`
}

// A LedgerText says of which requests the words are kept as well, beside the
// records.
type LedgerText struct {
	Routes     []string `yaml:"routes"`      // paths; none: no words are kept
	RetainDays int      `yaml:"retain_days"` // after which they are removed; 0: never
}

type (
	LedgerStore string // file or off
	FullPolicy  string // block or degrade
	LedgerSync  string // interval or each
)

// Values lists every LedgerStore.
func (LedgerStore) Values() []string { return []string{"file", Off} }

// Values lists every FullPolicy.
func (FullPolicy) Values() []string { return []string{"block", "degrade"} }

// Values lists every LedgerSync.
func (LedgerSync) Values() []string { return []string{"interval", "each"} }

func ledgerDefaults() Ledger {
	return Ledger{
		Store: "file", WhenFull: "degrade", Sync: "interval", SyncInterval: Duration(time.Second), MaxFile: 64 << 20, RetainDays: 184,
		Prices: map[string]Price{}, Text: LedgerText{Routes: []string{}, RetainDays: 30},
	}
}

// leastLedgerKey is how many bytes the key of the hashes has at least.
const leastLedgerKey = 32

func (c *Config) checkLedger(bad bad) {
	l := &c.Ledger
	one(bad, "ledger.store", l.Store)
	one(bad, "ledger.when_full", l.WhenFull)
	one(bad, "ledger.sync", l.Sync)
	if d := time.Duration(l.SyncInterval); d < 10*time.Millisecond || d > time.Minute {
		bad("ledger.sync_interval", "want 10ms to 1m, have %v", l.SyncInterval)
	}
	if l.MaxFile < 64<<10 || l.MaxFile > 4<<30 {
		bad("ledger.max_file", "want 64KiB to 4GiB, have %v", l.MaxFile)
	}
	if l.RetainDays < 0 || l.RetainDays > 36500 {
		bad("ledger.retain_days", "want 0 (for ever) to 36500 days, have %d", l.RetainDays)
	}
	if l.KeyFile != "" && l.Store != Off {
		if info, err := os.Stat(string(l.KeyFile)); err != nil {
			bad("ledger.key_file", "%v; make it with: openssl rand -hex 32", err)
		} else if info.Size() < leastLedgerKey {
			bad("ledger.key_file", "has %d bytes, want at least %d; make it with: openssl rand -hex 32", info.Size(), leastLedgerKey)
		}
	}
	for i, route := range l.Text.Routes {
		if !slices.Contains(c.Paths(), route) {
			bad(fmt.Sprintf("ledger.text.routes[%d]", i), "no route %q%s", route, suggest(route, c.Paths()))
		} else if l.Store == Off {
			bad(fmt.Sprintf("ledger.text.routes[%d]", i), "words are kept beside the records, and ledger.store is off")
		}
	}
	if n := l.Text.RetainDays; n < 0 || n > 36500 {
		bad("ledger.text.retain_days", "want 0 (for ever) to 36500 days, have %d", n)
	}
	for _, model := range slices.Sorted(maps.Keys(l.Prices)) {
		if p := l.Prices[model]; p.Prompt < 0 || p.Completion < 0 {
			bad(join("ledger.prices", model), "a price is 0 or more")
		}
	}
}
