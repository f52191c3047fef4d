package redis_test

import (
	"testing"

	"bendi/conversation"
	"bendi/conversation/redis"
	"bendi/conversation/storetest"
	"bendi/internal/redistest"
)

// BenchmarkTurn is what memory adds to a request with a Redis on this machine.
func BenchmarkTurn(b *testing.B) {
	store := open(b, redis.Options{Addresses: []string{redistest.Start(b).Address}, Timeout: patient})
	storetest.BenchTurn(b, conversation.Options{Store: store, Limit: patient})
}
