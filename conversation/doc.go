// Package conversation remembers conversations, so that a client can send what
// is new alone and be answered as if it had sent everything.
//
// A [Memory] puts itself around a route by [Memory.Remember]. A request that
// names a session is completed with the session's history, see merge, cut to
// the window of the model where the policy says so, see trim, and answered.
// What the client asked and what it was told, both as the filter let them pass,
// become a [Turn] of the [Session].
//
//	client  <-  witness  <-  filter  <-  recall  <-  route
//	            stores the turn          completes the request
//
// The two halves share a turn by the request's context, for the filter between
// them rewrites both the request and the answer, and what it has not seen is
// not stored.
//
// # What is promised
//
// A turn is stored before the client is told that its answer has ended. Turns
// of one session are answered one after the other. A session belongs to its
// [Owner], and no other can read, change or notice it. A stored value names its
// session and is believed only where that is the one that was asked for. What was
// deleted does not come back with a turn that began before, the first of its
// session included, whichever of the gateways that share a store answers it. When
// the store fails, nothing is pretended: the request fails, or the answer says
// that it was given without memory.
//
// # How it is stored
//
// A session is a log of turns. Each has an id of its own and names its parent,
// the turn that it goes on from, so that other protocols can hold several
// branches of a conversation in one session, and name any turn of it; the
// session's Head is the last of the branch in use. A request that names the turn
// it goes on from, see [chat.Turn], waits for no other. A [Store] knows nothing of
// this: it keeps bytes by [Key], each with a version that a later write has to
// name. The bytes are JSON, or that sealed by a [Sealer].
package conversation
