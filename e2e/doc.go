// Package e2e proves what users see: its tests run the built programs, bendi
// and the bendi-engine workers it starts, with the bundled demo model, and ask
// them over HTTP, through the official OpenAI clients and on the command line.
//
// `make test` builds the programs first; after `make build` plain `go test`
// works too. Except for the clients the package imports nothing that serves,
// so that a mistake there cannot hide behind the same mistake here.
package e2e
