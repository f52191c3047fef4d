// Package experiment splits the requests of a route between arms, such as a
// model here against one elsewhere, and keeps what is seen of each.
//
// A [Plan] says what is compared. A [Lab] has the experiments of an
// installation, which outlive its configuration: their state, what was counted,
// and a file for each. A [Split] is the Model that puts requests to the arms;
// what the client saw of them comes to [Lab.Observe] from a ledger.Record above.
//
// What it promises:
//
//   - Who counts as one, a session, a user or a key, stays in one arm: that is
//     a matter of a hash, and never drawn for a request. Every gateway comes to
//     the same arm, and giving an arm a larger share moves nobody but into it.
//   - Each request that is counted counts in exactly one arm. One of nobody
//     known, one of a chat front end's own, and one that some arm may not be
//     told, counts in none.
//   - A copy for a shadow arm never delays, changes or fails the answer, and
//     goes nowhere that the request may not.
//   - An arm is stopped by a guard when it is shown to be over the limit, by a
//     bound that holds however often one looks, and is not started again but by
//     whoever runs the server.
//
// Its files have no words of requests or answers, and names only as keyed
// hashes; a comment with feedback is kept where the plan says so.
package experiment
