//go:build !linux

package main

import "errors"

type sites struct{}

func newSites(*line, string) (*sites, error) {
	return nil, errors.New("the line needs Linux; without it, the tests of package link have one in memory")
}

func (*sites) counts() string { return "" }
func (*sites) close()         {}
