// Package limit counts what is asked, so that nobody asks more than they may.
//
// A request is counted for several [Subject] values at once: its key, its user
// and its route. Before it is answered, [Limiter.Reserve] sets aside what it may
// take at most, of all of them or of none; when it has ended, [Grant.Settle]
// puts in the place of that what it did take. So the sum of what is set aside
// and of what was taken is never above a limit, however many requests come at
// once and however long their answers take. The only exception is a request that
// takes more than was set aside, where nobody could know a bound; its surplus
// keeps the next ones out.
//
// What counts as a minute is any 60 seconds: what was granted is kept by the
// second, and a second counts until it is over for 60. Hence no 60 seconds,
// wherever they begin, have more than the limit, and a place may be free up to a
// second late. A day is a calendar day of the time zone that the [Limiter] is
// told. A request is counted at the time it was granted, however long it takes.
//
// [Local] counts in this process, package redis for several.
package limit
