package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// DataDir makes the folder for what an installation has to remember, such as
// experiments, sessions and the ledger, and returns it: the setting data, or
// else what systemd gives the service, or else the user's own,
// $XDG_STATE_HOME/bendi or ~/.local/state/bendi. Nobody else may read it.
func (c *Config) DataDir() (string, error) {
	dir, err := c.DataPath()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder to remember things in: %w; name another with data: in the configuration, or BENDI_DATA", err)
	}
	return dir, nil
}

// DataPath returns the folder that [Config.DataDir] makes, be it there or not.
func (c *Config) DataPath() (string, error) {
	dir := string(c.Data)
	if dir == "" {
		dir = os.Getenv("STATE_DIRECTORY")
	}
	if dir == "" {
		base := os.Getenv("XDG_STATE_HOME")
		if base == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("no folder to remember things in: %w; name one with data: in the configuration, or BENDI_DATA", err)
			}
			base = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(base, "bendi")
	}
	return dir, nil
}
