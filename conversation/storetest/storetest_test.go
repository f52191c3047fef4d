package storetest_test

import (
	"testing"

	"bendi/conversation"
	"bendi/conversation/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) conversation.Store { return new(storetest.Store) })
}

func TestDeletedStaysDeleted(t *testing.T) { storetest.DeletedStaysDeleted(t, new(storetest.Store)) }
