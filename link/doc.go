// Package link carries requests between two sites over a line that loses
// packets, without their waiting for one another.
//
// One WebSocket for all is worse on such a line than a connection for each
// request: one lost packet holds up everybody. A [Session] therefore has many
// links, keeps them warm, and sends each small piece more than once, over those
// that have the least under way. A link that fails, or keeps silent, costs
// nothing but the way over another.
//
// The edge is an [net/http.RoundTripper]; the relay holds the grants, which say
// what may be asked of whom, and asks.
package link
